import type { Server } from "node:http";
import { Server as TlsServer } from "node:https";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Clock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Listener } from "../model/service.js";
import type { Logger } from "../telemetry/logger.js";
import { errorResponse } from "./error-response.js";
import { readTlsPair, watchTlsFiles } from "./tls-files.js";

export interface ListenerOptions {
  /** What the listener is called in the log: `public`, `guest`, `admin`. */
  readonly name: string;
  readonly listener: Listener;
  readonly logger: Logger;
  /** Adds the routes. */
  readonly register: (app: FastifyInstance) => void;
  /** Bodies that are parsed may be this long; 64 KiB when left out. */
  readonly bodyLimitBytes?: number;
  /** How long a request may take to arrive; 30 s when left out. Its answer may take longer. */
  readonly requestTimeoutMs?: number;
  /** How long `stop` waits for requests that are being answered; 5 s when left out. */
  readonly stopTimeoutMs?: number;
  /** How often the certificate's files are looked at; 5 s when left out. */
  readonly tlsIntervalMs?: number;
  /** By which the certificate's files are looked at. */
  readonly clock?: Clock;
}

export interface RunningListener {
  /** Where it can be reached from this machine, with the real port. */
  readonly url: string;
  /** Takes no more requests, lets those that run end, and cuts the rest off after `stopTimeoutMs`. */
  stop(): Promise<void>;
}

/**
 * Binds one listener. Errors answer as JSON `{code, message, details?}`. Rejects with `FR-CONFIG` when the address is
 * taken or the certificate cannot be read.
 */
export async function startListener(options: ListenerOptions): Promise<RunningListener> {
  const logger = options.logger.child({ listener: options.name });
  const { host, port } = addressOf(options.listener.listen);
  const files = options.listener.tls;
  const pair = files === undefined ? undefined : await readTlsPair(files);
  const app = build(options, logger, pair);
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, logger));
  app.setNotFoundHandler((request, reply) => {
    const error = new FireRunnerError("FR-NOT-FOUND", `nothing answers ${request.method} at this address`);
    return refuse(error, request, reply, logger);
  });
  options.register(app);
  try {
    await app.listen({ host, port, backlog: 4096 });
  } catch (caught) {
    await app.close();
    throw FireRunnerError.from(caught, "FR-CONFIG", `binding the ${options.name} listener to ${options.listener.listen}`);
  }
  const server: Server | TlsServer = app.server;
  const watch =
    files === undefined || pair === undefined
      ? undefined
      : watchTlsFiles({
          files,
          current: pair,
          logger,
          ...(options.clock === undefined ? {} : { clock: options.clock }),
          ...(options.tlsIntervalMs === undefined ? {} : { intervalMs: options.tlsIntervalMs }),
          onChange: (next) => {
            if (server instanceof TlsServer) server.setSecureContext({ ...next, minVersion: "TLSv1.2" });
          },
        });
  const url = urlOf(server, files !== undefined);
  logger.info({ url }, `the ${options.name} listener is up`);

  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    // A connection that is busy now is idle later, and would be kept for its next request.
    const sweep = setInterval(() => server.closeIdleConnections(), 20);
    const cutOff = setTimeout(() => server.closeAllConnections(), options.stopTimeoutMs ?? 5000);
    try {
      await Promise.all([watch?.stop(), app.close()]);
    } finally {
      clearInterval(sweep);
      clearTimeout(cutOff);
    }
  }
  return {
    url,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function build(options: ListenerOptions, logger: Logger, pair: { cert: string; key: string } | undefined): FastifyInstance {
  const settings = {
    logger: false,
    bodyLimit: options.bodyLimitBytes ?? 65_536,
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    connectionTimeout: 60_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    return503OnClosing: true,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => refuse(error, request, reply, logger),
    routerOptions: { maxParamLength: 300 },
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  } as const;
  const http = { headersTimeout: 10_000, connectionsCheckingInterval: 2000, maxHeaderSize: 16_384 };
  if (pair === undefined) return fastify({ ...settings, http });
  // The instance differs from the plain one only in the type of its server.
  return fastify({ ...settings, https: { ...http, ...pair, minVersion: "TLSv1.2" } }) as unknown as FastifyInstance;
}

/** Requests are checked by the model's own schemas. Fastify's compilers of schemas would be loaded at each start for nothing. */
function noSchemas(): never {
  throw new FireRunnerError("FR-INTERNAL", "a route was given a schema, which this listener does not compile");
}

function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): FastifyReply {
  const { status, body, fault } = errorResponse(error);
  if (fault) logger.error({ error, method: request.method, route: request.routeOptions?.url }, "a request failed");
  return reply.code(status).header("content-type", "application/json; charset=utf-8").send(JSON.stringify(body));
}

/** `localhost` may mean two addresses, which would be two servers; it means the first one here. */
function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(":");
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host: host === "localhost" ? "127.0.0.1" : host, port: Number(listen.slice(colon + 1)) };
}

function urlOf(server: Server | TlsServer, tls: boolean): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new FireRunnerError("FR-INTERNAL", "the listener has no address");
  const everywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const host = everywhere[address.address] ?? address.address;
  return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}
