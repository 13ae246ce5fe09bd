import { z } from "zod";
import { type ErrorCode, errorCodes, FireRunnerError } from "../model/errors.js";
import type { Refusal } from "../model/validation.js";
import type { ClientSettings } from "./client-settings.js";

/** The admin API as the commands use it. Every call has a deadline; refusals are thrown with the service's own code and text. */
export interface AdminClient {
  read(path: string): Promise<unknown>;
  /** All items of a list, page after page. */
  list(path: string, query?: Readonly<Record<string, string>>): Promise<readonly unknown[]>;
  put(path: string, body: unknown): Promise<unknown>;
  /** Asks for something to be done; `by` says who asks, when that is known. */
  post(path: string, body: unknown, by?: string): Promise<unknown>;
  /** Asks for something to go. */
  remove(path: string, by?: string): Promise<void>;
  text(path: string): Promise<string>;
  bytes(path: string): Promise<Uint8Array>;
  /** How the service finds what it depends on. */
  readiness(): Promise<Readiness>;
}

const readinessSchema = z.object({
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string().optional() })),
});
type Readiness = z.output<typeof readinessSchema>;

const pageSchema = z.object({ items: z.array(z.unknown()), next: z.union([z.string(), z.number()]).optional() });
const refusalSchema = z.object({
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  details: z.object({ refusals: z.array(z.object({ field: z.string(), message: z.string() })).optional() }).optional(),
});

const deadlineMs = 30_000;
const pageLimit = "1000";
const maxPages = 1000;

export function createAdminClient({ url, token }: ClientSettings): AdminClient {
  async function send(method: string, path: string, body?: unknown, by?: string): Promise<Response> {
    try {
      return await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(by === undefined ? {} : { "x-firerunner-by": by }),
        },
        signal: AbortSignal.timeout(deadlineMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new FireRunnerError("FR-CONFIG", `no answer from ${url}: is the service running, and is the URL right? (${reason(cause)})`, {
        cause,
      });
    }
  }

  async function call(method: string, path: string, body?: unknown, by?: string): Promise<Response> {
    const response = await send(method, path, body, by);
    if (!response.ok) throw await refusal(response, url);
    return response;
  }

  const read = async (path: string): Promise<unknown> => (await call("GET", path)).json();

  return {
    read,
    async list(path, query = {}) {
      const items: unknown[] = [];
      let after: string | undefined;
      for (let page = 0; page < maxPages; page += 1) {
        const search = new URLSearchParams({ ...query, limit: pageLimit, ...(after === undefined ? {} : { after }) });
        const answer = pageSchema.parse(await read(`${path}?${search}`));
        items.push(...answer.items);
        if (answer.next === undefined) break;
        after = String(answer.next);
      }
      return items;
    },
    put: async (path, body) => (await call("PUT", path, body)).json(),
    post: async (path, body, by) => (await call("POST", path, body, by)).json(),
    remove: async (path, by) => {
      await call("DELETE", path, undefined, by);
    },
    bytes: async (path) => new Uint8Array(await (await call("GET", path)).arrayBuffer()),
    text: async (path) => (await call("GET", path)).text(),
    readiness: async () => readinessSchema.parse(await read("/v1/checks")),
  };
}

async function refusal(response: Response, url: string): Promise<FireRunnerError> {
  const parsed = refusalSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) {
    return new FireRunnerError("FR-CONFIG", `${url} answered HTTP ${response.status}, not as FireRunner answers; check the URL`);
  }
  const refusals: readonly Refusal[] | undefined = parsed.data.details?.refusals;
  return new FireRunnerError(parsed.data.code, parsed.data.message, refusals === undefined ? {} : { details: { refusals } });
}

/** fetch hides why it failed in a cause of its error. */
function reason(caught: unknown): string {
  if (!(caught instanceof Error)) return String(caught);
  if (caught.name === "TimeoutError") return `nothing within ${deadlineMs / 1000} s`;
  return caught.cause instanceof Error ? caught.cause.message || caught.cause.name : caught.message;
}
