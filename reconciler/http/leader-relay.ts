import { createHmac } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../model/clock.js";
import { sameSecret } from "./same-secret.js";

/** What the admin API needs to know of the other replicas. */
export interface Leader {
  readonly name: string;
  readonly adminUrl: string;
}

export interface LeaderRelayOptions {
  readonly clock: Pick<Clock, "now">;
  /** Whether this process leads: then nobody else is asked. */
  readonly leads: () => boolean;
  /** The service's key, which all replicas have: 64 hex digits. */
  readonly key: string;
  /** The replica that leads, as far as is known; undefined when that is this one, or none. */
  readonly leader: () => Leader | undefined;
}

/** Passes on what only the replica that leads can answer, so that callers need not know which one that is. */
export interface LeaderRelay {
  /** Whether a request was passed on by another replica: it had checked who asks. */
  isRelayed(request: FastifyRequest): boolean;
  register(app: FastifyInstance): void;
}

/** What only the loop of the leader knows. */
const leaderPaths: ReadonlySet<string> = new Set([
  "/v1/checks",
  "/v1/plan",
  "/v1/gc",
  "/v1/host-statuses",
  "/v1/hosts/:name/status",
  "/v1/hosts/:name/forget",
  "/v1/jobs/:connection/:projectId/:jobId/explain",
]);
const header = "x-firerunner-relayed";
const validMs = 30_000;
const answerMs = 10_000;

/**
 * Requests are passed on without the caller's token, under a signature of the service's key over method, address and time. When the
 * leader cannot be reached, or turns out not to lead, the request is answered here, as far as that goes.
 */
export function createLeaderRelay({ clock, leads, key, leader }: LeaderRelayOptions): LeaderRelay {
  const derived = createHmac("sha256", Buffer.from(key, "hex")).update("firerunner/leader-relay/v1").digest();
  const sign = (method: string, url: string, at: string): string =>
    createHmac("sha256", derived)
      .update(JSON.stringify([method, url, at]))
      .digest("hex");

  function isRelayed({ method, url, headers }: FastifyRequest): boolean {
    const [at = "", given = ""] = String(headers[header] ?? "").split(".");
    return Math.abs(clock.now() - Number(at)) < validMs && sameSecret(given, sign(method, url, at));
  }

  async function relay(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (!leaderPaths.has(request.routeOptions.url ?? "") || leads() || isRelayed(request)) return undefined;
    const to = leader();
    if (to === undefined) return undefined;
    const at = String(clock.now());
    const { method, url, body } = request;
    const by = request.headers["x-firerunner-by"];
    const answer = await fetch(`${to.adminUrl}${url}`, {
      method,
      headers: {
        [header]: `${at}.${sign(method, url, at)}`,
        ...(typeof by === "string" ? { "x-firerunner-by": by } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "error",
      signal: AbortSignal.timeout(answerMs),
    }).catch(() => undefined);
    // 401: the other one has another key or another time. 503: it leads no more.
    if (answer === undefined || answer.status === 401 || answer.status === 503) return undefined;
    return reply
      .code(answer.status)
      .header("content-type", answer.headers.get("content-type") ?? "application/json; charset=utf-8")
      .header("x-firerunner-answered-by", to.name)
      .send(await answer.text());
  }

  return { isRelayed, register: (app) => void app.addHook("preHandler", relay) };
}
