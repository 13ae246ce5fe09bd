import type { DefaultRequestOptions, RequesterType, ResponseBodyTypes } from "@gitbeaker/requester-utils";
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
  post(path: string, body: Readonly<Record<string, unknown>>): Promise<Answer>;
  put(path: string, body: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** Makes the client of one call: everything it sends keeps to the call's bounds and says in errors what was attempted. */
export type Clients = (attempt: Attempt, bounds: CallBounds) => Promise<Client>;

/** Gitbeaker's resources of one GitLab; a call uses them with a requester of its own. */
interface Resources {
  readonly jobs: Jobs;
  readonly runners: Runners;
  readonly users: Users;
}

/** What of gitbeaker is used. It is loaded with the first call, because it is a large part of what the service loads. */
async function load() {
  const [{ Jobs, Runners, Users }, { defaultOptionsHandler }] = await Promise.all([
    import("@gitbeaker/rest"),
    import("@gitbeaker/requester-utils"),
  ]);
  return { Jobs, Runners, Users, defaultOptionsHandler };
}

/** More GitLabs than anybody declares; URLs that are no longer declared are forgotten beyond it. */
const maxRemembered = 1_000;

/**
 * Gitbeaker says what is sent; it goes out on our own transport: gitbeaker's repeats all its tries within a quarter of a
 * second, POSTs included, and follows redirects with the token.
 */
export function createClients(sender: Sender, limits: Pick<ForgeLimits, "requestMs" | "maxAnswerBytes">): Clients {
  const answerBounds = { timeoutMs: limits.requestMs, maxBytes: limits.maxAnswerBytes, larger: "refuse" } as const;
  const byUrl = new Map<string, Resources>();
  let loading: ReturnType<typeof load> | undefined;

  function resourcesOf(url: string, { Jobs, Runners, Users }: Awaited<ReturnType<typeof load>>): Resources {
    const known = byUrl.get(url);
    if (known !== undefined) return known;
    const options = { host: url, requesterFn: unbound, queryTimeout: null, rateLimits: {} };
    const resources = { jobs: new Jobs(options), runners: new Runners(options), users: new Users(options) };
    if (byUrl.size >= maxRemembered) byUrl.clear();
    byUrl.set(url, resources);
    return resources;
  }

  return async (attempt, bounds) => {
    loading ??= load();
    const gitbeaker = await loading;
    const { jobs, runners, users } = resourcesOf(attempt.connection.url, gitbeaker);

    async function ask<T extends ResponseBodyTypes>(method: string, path: string, options: DefaultRequestOptions | undefined) {
      const formed = await gitbeaker.defaultOptionsHandler(jobs, { ...options, method });
      const url = `${jobs.url}${path}${formed.searchParams === undefined ? "" : `?${formed.searchParams}`}`;
      const answer = await send(sender, attempt, requestOf(method, url, formed.body), answerBounds, bounds);
      return { status: answer.status, headers: { ...answer.headers }, body: jsonOf(attempt, answer) as T };
    }
    const requester: RequesterType = {
      get: (path, options) => ask("GET", path, options),
      post: (path, options) => ask("POST", path, options),
      put: (path, options) => ask("PUT", path, options),
      patch: (path, options) => ask("PATCH", path, options),
      delete: (path, options) => ask("DELETE", path, options),
    };
    return {
      jobs: () => withRequester(jobs, requester),
      runners: () => withRequester(runners, requester),
      users: () => withRequester(users, requester),
      get: (path, searchParams) => requester.get<Record<string, unknown>>(path, { searchParams }),
      post: (path, body) => requester.post<Record<string, unknown>>(path, { body: { ...body } }),
      put: (path, body) => requester.put<Record<string, unknown>>(path, { body: { ...body } }),
    };
  };
}

/** The same resource with another requester: making a new one for each call would cost a tenth of the call. */
const withRequester = <R extends object>(resource: R, requester: RequesterType): R =>
  Object.assign(Object.create(resource) as R, { requester });

function unbound(): RequesterType {
  const refuse = () => Promise.reject(new Error("a resource was used without a call's requester"));
  return { get: refuse, post: refuse, put: refuse, patch: refuse, delete: refuse };
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
  if (!saysJson(answer)) throw unreadableError(attempt, `its content type is "${(answer.headers["content-type"] ?? "").slice(0, 100)}"`);
  try {
    return JSON.parse(answer.text);
  } catch {
    throw unreadableError(attempt, "its JSON is broken");
  }
}
