import type { FastifyReply, FastifyRequest } from "fastify";
import { parseWebhook, type WebhookEvent } from "../forge/gitlab/webhook.js";
import type { Clock } from "../model/clock.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import type { Listener } from "../model/service.js";
import type { Store } from "../store/port.js";
import type { Logger } from "../telemetry/logger.js";
import type { Metrics } from "../telemetry/metrics.js";
import type { BoundListener } from "./bound-listener.js";
import { errorResponse, httpError } from "./error-response.js";
import { createGate } from "./gate.js";
import { type RunningListener, startListener } from "./listener.js";
import { isPoison, setWebhookAside } from "./poison-webhooks.js";
import { drainBody, readBody } from "./request-body.js";
import { createWebhookIntake } from "./webhook-intake.js";
import { createWebhookProof } from "./webhook-proof.js";

export interface PublicListenerOptions {
  readonly listener: Listener;
  /** Its address, where it is taken already. */
  readonly bound?: BoundListener;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The secret behind `env:NAME` or `file:PATH`; throws `FR-CONFIG` when there is none. Called for every webhook. */
  readonly resolveSecret: (ref: string) => string;
  /** Reads a connection's waiting and running jobs as soon as possible. */
  readonly pollSoon: (connection: string) => void;
  /** Reads what a webhook says; GitLab's reader when left out. */
  readonly parse?: (json: unknown) => WebhookEvent;
  readonly limits?: Partial<WebhookLimits>;
  readonly tlsIntervalMs?: number;
  readonly stopTimeoutMs?: number;
}

export interface WebhookLimits {
  /** Larger bodies are not parsed. */
  readonly parsedBytes: number;
  /** Larger ones with the right token are read and forgotten up to here: GitLab sends at most 25 MB. */
  readonly drainedBytes: number;
  readonly drainMs: number;
  readonly maxWaitingHints: number;
}

const defaultLimits: WebhookLimits = { parsedBytes: 1_048_576, drainedBytes: 32 * 1_048_576, drainMs: 20_000, maxWaitingHints: 20_000 };

type WebhookRequest = FastifyRequest<{ Params: { connection: string } }>;

/** What a webhook's sender is told; GitLab shows it in its list of deliveries. */
interface Answer {
  readonly status: 200 | 202;
  readonly outcome: string;
}

/**
 * The listener that forges post to: `POST /webhooks/gitlab/<connection>`. 200 only after what the webhook says is
 * durable; whatever is authentic but of no interest is answered 200 too, because GitLab mutes a webhook that is refused
 * four times. 202 for what cannot be digested (too large, or a fault of the reader): the forge is read instead. 401 wrong secret, 400 not understood, 404 unknown connection, 415 not JSON, 413 too large.
 */
export async function startPublicListener(options: PublicListenerOptions): Promise<RunningListener> {
  const { store, clock, metrics, parse = parseWebhook } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const logger = options.logger.child({ listener: "public" });
  const gate = createGate(clock);
  const proof = createWebhookProof({ clock, logger, resolveSecret: options.resolveSecret });
  const intake = createWebhookIntake({ store, clock, maxWaitingHints: limits.maxWaitingHints, pollSoon: options.pollSoon });

  async function receive(request: WebhookRequest, connection: Connection): Promise<Answer> {
    const tokenRight = proof.ofSecret(connection, request.headers);
    if (tokenRight === "wrong") {
      // Nothing of a body is read for a stranger; one that is too large anyway is told so.
      const declared = Number(request.headers["content-length"] ?? 0);
      throw declared > limits.parsedBytes ? httpError(413) : unauthorized(connection);
    }
    if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? "")) throw httpError(415);

    const body = await readBody(request.raw, limits.parsedBytes);
    if (body.outcome === "cut") throw httpError(400);
    if (body.outcome === "too-large") {
      if (tokenRight !== "right" || !(await drainBody(request.raw, { bytes: limits.drainedBytes, ms: limits.drainMs, clock })))
        throw httpError(413);
      await intake.unread(connection);
      return { status: 202, outcome: "too-large" };
    }
    if (!proof.ofSignature(connection, { headers: request.headers, rawBody: body.bytes })) throw unauthorized(connection);
    const json = parseJson(body.bytes);
    try {
      return await take(connection, json);
    } catch (caught) {
      if (!isPoison(caught)) throw caught;
      logger.error(
        { error: caught, connection: connection.name },
        "a webhook cannot be digested: it is set aside, and the forge is read instead",
      );
      await setWebhookAside({ store, now: clock.now() }, connection.name, body.bytes, caught);
      await intake.unread(connection);
      return { status: 202, outcome: "set-aside" };
    }
  }

  async function take(connection: Connection, json: unknown): Promise<Answer> {
    const event = parse(json);
    if (event.kind === "other") return { status: 200, outcome: "other-event" };
    if (event.kind === "pipeline") return { status: 200, outcome: await intake.pipeline(connection, event) };
    if (event.happenedAt !== undefined) metrics.webhookLag(connection.name, (clock.now() - event.happenedAt) / 1000);
    return { status: 200, outcome: await intake.job(connection, event) };
  }

  async function answer(request: WebhookRequest, reply: FastifyReply): Promise<FastifyReply> {
    const name = request.params.connection;
    const connection = store.get("connection", name)?.value.spec;
    if (connection === undefined) {
      metrics.webhook("unknown", "unknown-connection");
      throw new FireRunnerError("FR-NOT-FOUND", "no connection has this name");
    }
    try {
      const { status, outcome } = await receive(request, connection);
      metrics.webhook(name, outcome);
      return reply.code(status).header("content-type", "application/json").send(JSON.stringify({ outcome }));
    } catch (error) {
      const outcome = refusalOutcome(error);
      metrics.webhook(name, outcome);
      if (gate(`${name}/${outcome}`)) logger.warn({ error, connection: name }, "a webhook was refused");
      throw error;
    }
  }

  const running = await startListener({
    ...options,
    name: "public",
    register(app) {
      // Bodies are read by the handler: what may be read depends on who sends it.
      app.removeAllContentTypeParsers();
      app.addContentTypeParser("*", (_request, _payload, done) => done(null));
      app.addHook("onResponse", async (request) => {
        request.raw.resume();
      });
      app.post("/webhooks/gitlab/:connection", answer);
    },
  });
  return {
    url: running.url,
    async stop() {
      await running.stop();
      intake.stop();
    },
  };
}

const unauthorized = ({ name }: Connection): FireRunnerError =>
  new FireRunnerError(
    "FR-UNAUTHORIZED",
    `the webhook does not prove that it comes from the forge of connection "${name}"; compare its secret token`,
  );

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new FireRunnerError("FR-WEBHOOK-REFUSED", "the body is not valid JSON");
  }
}

function refusalOutcome(error: unknown): string {
  const names: Readonly<Record<number, string>> = {
    400: "malformed",
    401: "unauthorized",
    413: "refused-too-large",
    415: "wrong-content-type",
  };
  return names[errorResponse(error).status] ?? "failed";
}
