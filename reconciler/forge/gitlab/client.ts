import type { DefaultRequestOptions, RequesterType, ResourceOptions, ResponseBodyTypes } from "@gitbeaker/requester-utils";
import type { Jobs, Runners, Users } from "@gitbeaker/rest";
import type { CallBounds } from "./calls.js";
import type { HttpAnswer, HttpRequest } from "./exchange.js";
import { type Attempt, saysJson, unreadableError } from "./failure.js";
import type { ForgeLimits } from "./limits.js";
import { type Sender, send } from "./send.js";

/** An answer whose body was read as JSON; null when there was none. */
export interface Answer {
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** Gitbeaker's resources for one call of the port, and its requester for what they do not offer. */
export interface Client {
  jobs(): Jobs;
  runners(): Runners;
  users(): Users;
  get(path: string, searchParams: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** Makes the client of one call: everything it sends keeps to the call's bounds and says in errors what was attempted. */
export type Clients = (attempt: Attempt, bounds: CallBounds) => Promise<Client>;

/** What of gitbeaker is used. It is loaded with the first call, because it is a large part of what the service loads. */
async function load() {
  const [{ Jobs, Runners, Users }, { defaultOptionsHandler }] = await Promise.all([
    import("@gitbeaker/rest"),
    import("@gitbeaker/requester-utils"),
  ]);
  return { Jobs, Runners, Users, defaultOptionsHandler };
}

/**
 * Gitbeaker says what is sent; it goes out on our own transport: gitbeaker's repeats all its tries within a quarter of a
 * second, POSTs included, and follows redirects with the token.
 */
export function createClients(sender: Sender, limits: Pick<ForgeLimits, "requestMs" | "maxAnswerBytes">): Clients {
  const answerBounds = { timeoutMs: limits.requestMs, maxBytes: limits.maxAnswerBytes, larger: "refuse" } as const;
  let loading: ReturnType<typeof load> | undefined;

  return async (attempt, bounds) => {
    loading ??= load();
    const { Jobs, Runners, Users, defaultOptionsHandler } = await loading;
    const requesterFn = (resource: ResourceOptions): RequesterType => {
      const ask = async <T extends ResponseBodyTypes>(method: string, path: string, options: DefaultRequestOptions | undefined) => {
        const formed = await defaultOptionsHandler(resource, { ...options, method });
        const url = `${resource.url}${path}${formed.searchParams === undefined ? "" : `?${formed.searchParams}`}`;
        const answer = await send(sender, attempt, requestOf(method, url, formed.body), answerBounds, bounds);
        return { status: answer.status, headers: { ...answer.headers }, body: jsonOf(attempt, answer) as T };
      };
      return {
        get: (path, options) => ask("GET", path, options),
        post: (path, options) => ask("POST", path, options),
        put: (path, options) => ask("PUT", path, options),
        patch: (path, options) => ask("PATCH", path, options),
        delete: (path, options) => ask("DELETE", path, options),
      };
    };
    const options = { host: attempt.connection.url, requesterFn, queryTimeout: null, rateLimits: {} };
    return {
      jobs: () => new Jobs(options),
      runners: () => new Runners(options),
      users: () => new Users(options),
      get: (path, searchParams) => new Jobs(options).requester.get<Record<string, unknown>>(path, { searchParams }),
    };
  };
}

/** Gitbeaker gives every DELETE an empty object as its body, which some proxies refuse. */
function requestOf(method: string, url: string, body: unknown): HttpRequest {
  const sent = typeof body === "string" && method !== "DELETE" ? body : undefined;
  const headers = { accept: "application/json", "user-agent": "firerunner" };
  return {
    method,
    url,
    headers: sent === undefined ? headers : { ...headers, "content-type": "application/json" },
    body: sent,
  };
}

function jsonOf(attempt: Attempt, answer: HttpAnswer): unknown {
  if (answer.text === "") return null;
  if (!saysJson(answer)) throw unreadableError(attempt, `its content type is "${answer.headers["content-type"] ?? ""}"`);
  try {
    return JSON.parse(answer.text);
  } catch {
    throw unreadableError(attempt, "its JSON is broken");
  }
}
