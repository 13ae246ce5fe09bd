import type { RequestListener, Server } from "node:http";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { FireRunnerError } from "../model/errors.js";
import type { Logger } from "../telemetry/logger.js";
import { type Answering, type BindOptions, type BoundListener, bindListener } from "./bound-listener.js";
import { errorResponse } from "./error-response.js";

export interface ListenerOptions extends BindOptions {
  /** The address, where it is taken already; it is bound when left out. */
  readonly bound?: BoundListener;
  /** Adds the routes. */
  readonly register: (app: FastifyInstance) => void;
  /** Bodies that are parsed may be this long; 64 KiB when left out. */
  readonly bodyLimitBytes?: number;
  /** Called when the listener begins to stop. */
  readonly onStop?: () => void;
}

export interface RunningListener {
  /** Where it can be reached from this machine, with the real port. */
  readonly url: string;
  /** Takes no more requests, lets those that run end, and cuts the rest off after `stopTimeoutMs`. */
  stop(): Promise<void>;
}

/**
 * Answers at one address, which it binds unless it is `bound`. Errors answer as JSON `{code, message, details?}`. Rejects with
 * `FR-CONFIG` when the address is taken or the certificate cannot be read.
 */
export async function startListener(options: ListenerOptions): Promise<RunningListener> {
  const logger = options.logger.child({ listener: options.name });
  const bound = options.bound ?? (await bindListener(options));
  try {
    bound.answer(await answering(options, logger, bound));
  } catch (caught) {
    await bound.stop();
    throw caught;
  }
  logger.info({ url: bound.url }, `the ${options.name} listener is up`);
  return bound;
}

/** The routes of a listener, ready to answer. */
async function answering(options: ListenerOptions, logger: Logger, { server }: BoundListener): Promise<Answering> {
  let handler: RequestListener = () => {};
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyLimitBytes ?? 65_536,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    return503OnClosing: true,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => refuse(error, request, reply, logger),
    routerOptions: { maxParamLength: 300 },
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    serverFactory(next) {
      handler = next;
      // One that speaks TLS differs only in its type.
      return server as Server;
    },
  });
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, logger));
  app.setNotFoundHandler((request, reply) => {
    const error = new FireRunnerError("FR-NOT-FOUND", `nothing answers ${request.method} at this address`);
    return refuse(error, request, reply, logger);
  });
  options.register(app);
  await app.ready();
  return {
    handler,
    close() {
      options.onStop?.();
      return app.close();
    },
  };
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
