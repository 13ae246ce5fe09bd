import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Guest, GuestEnd, GuestState, NextResult } from "../guest/guest.js";
import { guestStates } from "../guest/guest.js";
import type { Session } from "../guest/sessions.js";
import type { Clock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Listener } from "../model/service.js";
import type { Logger } from "../telemetry/logger.js";
import { type BoundListener, guestRequestTimeoutMs } from "./bound-listener.js";
import { errorResponse } from "./error-response.js";
import { readGuestForm } from "./guest-form.js";
import { type RunningListener, startListener } from "./listener.js";
import { createRefusalBudget } from "./refusal-budget.js";

export interface GuestListenerOptions {
  readonly listener: Listener;
  /** Its address, where it is taken already. */
  readonly bound?: BoundListener;
  readonly guest: Guest;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly tlsIntervalMs?: number;
  readonly stopTimeoutMs?: number;
}

const formLimitBytes = 4096;
const logLimitBytes = 65_536;
/** A connection on which nothing moves is closed after 60 s. */
const longestWaitS = 50;
const hexDigest = /^[0-9a-f]{64}$/;

/** What is answered: a status and, for what the agent acts on, its text. */
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterS?: number;
}

const act = (action: string): Answer => ({ status: 200, text: `action=${action}\n` });
const refuse = (status: number, message: string, retryAfterS?: number): Answer => ({
  status,
  text: `message=${message}\n`,
  ...(retryAfterS === undefined ? {} : { retryAfterS }),
});
const bootStages = /^[a-z]{1,16}:\d{1,6}(\.\d{1,3})?(,[a-z]{1,16}:\d{1,6}(\.\d{1,3})?){0,7}$/;
const unknownSession = refuse(401, "the session is not known");
const outOfReach = refuse(503, "the store is out of reach", 1);

/**
 * The listener that microVMs call: `POST /guest/v1/claim|heartbeat|log|done`, `GET /guest/v1/next|config`, text both ways.
 * 403 refused claim (the guest is not told why), 401 not the secret that claimed the microVM, 409 no configuration yet,
 * 410 no more, 429 and 503 later, 400 not understood. `stop` answers the guests that wait and then ends the listener.
 */
export function startGuestListener(options: GuestListenerOptions): Promise<RunningListener> {
  const { guest } = options;
  return startListener({
    ...options,
    name: "guest",
    bodyLimitBytes: formLimitBytes,
    requestTimeoutMs: guestRequestTimeoutMs,
    onStop: () => guest.stop(),
    // In a scope of its own: what is text here stays JSON elsewhere.
    register: (app) => void app.register(async (scope) => registerCalls(scope, options)),
  });
}

function registerCalls(scope: FastifyInstance, { guest, clock, ...options }: GuestListenerOptions): void {
  const logger = options.logger.child({ listener: "guest" });
  const withinBudget = createRefusalBudget(clock);
  const sessions = new WeakMap<FastifyRequest, Session>();

  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("text/plain", { parseAs: "string" }, (_request, body, done) => done(null, body));
  scope.setErrorHandler((error, request, reply) => {
    const { status, body, fault } = errorResponse(error);
    if (fault) logger.error({ error, route: request.routeOptions.url }, "a guest's call failed");
    return send(reply, refuse(status, status === 415 ? "the body must be text/plain" : body.message.replaceAll("\n", "; ")));
  });

  /** Another replica may know what this one cannot. */
  scope.addHook("onRequest", async (_request, reply) => (guest.isLevel() ? undefined : send(reply, outOfReach)));

  /** Before the body is read: who has no session is not listened to. */
  async function authenticate(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const [, vm = "", secret = ""] = /^Bearer ([a-z0-9-]{1,64}):([0-9a-f]{64})$/.exec(request.headers.authorization ?? "") ?? [];
    const session = await guest.recognise(vm, secret);
    if (session === undefined) return send(reply.header("www-authenticate", "Bearer"), unknownSession);
    sessions.set(request, session);
    return undefined;
  }

  function sessionOf(request: FastifyRequest): Session {
    const session = sessions.get(request);
    if (session === undefined) throw new FireRunnerError("FR-UNAUTHORIZED", "the session is not known");
    return session;
  }

  scope.post("/guest/v1/claim", async (request, reply) => {
    const form = formOf(request);
    const address = request.socket.remoteAddress ?? "";
    const vm = form.field("vm", /^[a-z0-9-]{1,64}$/, "the name of a microVM");
    const result = await guest.claim({
      vm,
      nonce: form.field("nonce", hexDigest, "64 hex digits"),
      bootId: form.field("boot_id", /^[\x21-\x7e]{1,128}$/, "1 to 128 visible characters"),
      secretSha256: form.field("secret_sha256", hexDigest, "64 hex digits"),
      address,
      bootMs: bootMsOf(form.optional("boot_stages", bootStages, "up to 8 of NAME:SECONDS, with commas between them")),
      monitorBeganAt: numberOf(form.optional("monitor_began", /^\d{13}$/, "milliseconds since the epoch")),
    });
    if (result.outcome === "accepted") {
      if (result.first) logger.info({ vm, traceId: result.traceId, address, order: result.order }, "a guest claimed its microVM");
      return send(reply, act(result.order));
    }
    if (!withinBudget(address)) return send(reply, refuse(429, "too many refused claims", 30));
    logger.warn({ vm, traceId: result.traceId, address, reason: result.reason }, "a guest's claim was refused");
    throw new FireRunnerError("FR-GUEST-REFUSED", "the claim was refused");
  });

  scope.get<{ Querystring: { wait_s?: unknown } }>("/guest/v1/next", { onRequest: authenticate }, async (request, reply) => {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    request.socket.once("close", onClose);
    try {
      const next = await guest.next(sessionOf(request), waitMsOf(request.query.wait_s), gone.signal);
      return send(reply, answerNext(next));
    } finally {
      request.socket.off("close", onClose);
    }
  });

  scope.get("/guest/v1/config", { onRequest: authenticate }, async (request, reply) => {
    const config = guest.config(sessionOf(request));
    switch (config.outcome) {
      case "given":
        // A credential is given out only when nobody can forget that there is one.
        await guest.settled();
        return send(reply, { status: 200, text: config.toml });
      case "not-yet":
        return send(reply, refuse(409, "there is no configuration yet", 1));
      case "over":
        return send(reply, refuse(410, "the configuration is no longer given"));
      case "unknown":
        return send(reply, unknownSession);
    }
  });

  scope.post("/guest/v1/heartbeat", { onRequest: authenticate }, async (request, reply) => {
    const pattern = new RegExp(`^(${guestStates.join("|")})$`);
    const state = formOf(request).field("state", pattern, guestStates.join(", ")) as GuestState;
    const heard = await guest.heartbeat(sessionOf(request), state);
    return send(reply, heard === "unknown" ? unknownSession : act(heard));
  });

  scope.post("/guest/v1/log", { onRequest: authenticate, bodyLimit: logLimitBytes }, async (request, reply) => {
    const session = sessionOf(request);
    const log = await guest.log(session, typeof request.body === "string" ? request.body : "");
    if (log.outcome !== "taken") {
      return send(reply, log.outcome === "unknown" ? unknownSession : refuse(429, "enough logs were sent", 60));
    }
    logger.info({ vm: session.vm, traceId: log.traceId, console: log.text }, "a guest sent its log");
    return send(reply, act("continue"));
  });

  scope.post("/guest/v1/done", { onRequest: authenticate }, async (request, reply) => {
    const form = formOf(request);
    const why = form.optional("why", /^[\x20-\x7e]{1,300}$/, "1 to 300 visible characters");
    const end: GuestEnd = {
      ...(why === undefined ? {} : { why }),
      exitCode: Number(form.field("exit_code", /^\d{1,3}$/, "a whole number from 0 to 999")),
      reason: form.field("reason", /^(finished|refused|failed)$/, "finished, refused or failed") as GuestEnd["reason"],
    };
    const done = await guest.done(sessionOf(request), end);
    return send(reply, done === "unknown" ? unknownSession : act("off"));
  });
}

function formOf(request: FastifyRequest): ReturnType<typeof readGuestForm> {
  return readGuestForm(typeof request.body === "string" ? request.body : "");
}

function waitMsOf(wait: unknown): number {
  if (wait === undefined) return 0;
  if (typeof wait !== "string" || !/^\d{1,4}$/.test(wait)) {
    throw new FireRunnerError("FR-INVALID", "wait_s is refused: must be a whole number of seconds");
  }
  return Math.min(Number(wait), longestWaitS) * 1000;
}

function answerNext(next: NextResult): Answer {
  if (next === "unknown") return unknownSession;
  return next === "unavailable" ? refuse(503, "ask again a little later", 1) : act(next);
}

function send(reply: FastifyReply, { status, text, retryAfterS }: Answer): FastifyReply {
  if (retryAfterS !== undefined) reply.header("retry-after", String(retryAfterS));
  return reply.code(status).header("content-type", "text/plain; charset=utf-8").header("cache-control", "no-store").send(text);
}

const numberOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

/** The stages of a boot in milliseconds, of what a guest sent: `init:1.12,network:1.33,claim:2.3`. */
function bootMsOf(stages: string | undefined): Readonly<Record<string, number>> | undefined {
  if (stages === undefined) return undefined;
  const entries = stages.split(",").map((stage) => stage.split(":"));
  return Object.fromEntries(entries.map(([name = "", seconds = ""]) => [name, Math.round(Number(seconds) * 1000)]));
}
