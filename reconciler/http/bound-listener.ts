import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Clock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Listener } from "../model/service.js";
import type { Logger } from "../telemetry/logger.js";
import { readTlsPair, watchTlsFiles } from "./tls-files.js";

export interface BindOptions {
  /** What the listener is called in errors and in the log: `public`, `guest`, `admin`. */
  readonly name: string;
  readonly listener: Listener;
  readonly logger: Logger;
  /** How long a request may take to arrive; 30 s when left out. Its answer may take longer. */
  readonly requestTimeoutMs?: number;
  /** How long `stop` waits for requests that are being answered; 5 s when left out. */
  readonly stopTimeoutMs?: number;
  /** How often the certificate's files are looked at; 5 s when left out. */
  readonly tlsIntervalMs?: number;
  /** By which the certificate's files are looked at. */
  readonly clock?: Clock;
}

/** Guests send little: what takes longer to arrive is no guest's. */
export const guestRequestTimeoutMs = 10_000;

/** Who answers what arrives at an address. */
export interface Answering {
  readonly handler: RequestListener;
  /** Lets what is being answered end, and refuses what still comes. */
  close(): Promise<unknown>;
}

/** An address that is taken. Requests that arrive at it wait until there is somebody to answer them. */
export interface BoundListener {
  /** Where it can be reached from this machine, with the real port. */
  readonly url: string;
  readonly server: Server | TlsServer;
  /** Has everything answered that waits, and that comes; once. */
  answer(answering: Answering): void;
  /** Takes no more requests, lets those that run end, and cuts the rest off after `stopTimeoutMs`. */
  stop(): Promise<void>;
}

/** Takes the address of one listener. Rejects with `FR-CONFIG` when it is taken already or the certificate cannot be read. */
export async function bindListener(options: BindOptions): Promise<BoundListener> {
  const logger = options.logger.child({ listener: options.name });
  const files = options.listener.tls;
  const pair = files === undefined ? undefined : await readTlsPair(files);
  let answering: Answering | undefined;
  const waiting: (() => void)[] = [];
  const server = build(options, pair, (request, response) => {
    if (answering !== undefined) answering.handler(request, response);
    // As many wait as connect, and no longer than a connection may be idle.
    else waiting.push(() => answering?.handler(request, response));
  });
  await listen(server, options);
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
            if ("setSecureContext" in server) server.setSecureContext({ ...next, minVersion: "TLSv1.2" });
          },
        });

  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    // A connection that is busy now is idle later, and would be kept for its next request.
    const sweep = setInterval(() => server.closeIdleConnections(), 20);
    const cutOff = setTimeout(() => server.closeAllConnections(), answering === undefined ? 0 : (options.stopTimeoutMs ?? 5000));
    try {
      const closed = new Promise((resolve) => server.close(resolve));
      await Promise.all([watch?.stop(), answering?.close(), closed]);
    } finally {
      clearInterval(sweep);
      clearTimeout(cutOff);
    }
  }
  return {
    url: urlOf(server, files !== undefined),
    server,
    answer(next) {
      answering = next;
      for (const give of waiting.splice(0)) give();
    },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function build(
  { requestTimeoutMs = 30_000 }: BindOptions,
  pair: { readonly cert: string; readonly key: string } | undefined,
  handler: RequestListener,
): Server | TlsServer {
  const http = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: 10_000,
    connectionsCheckingInterval: 2000,
    maxHeaderSize: 16_384,
    keepAliveTimeout: 75_000,
  };
  const server = pair === undefined ? createServer(http, handler) : createTlsServer({ ...http, ...pair, minVersion: "TLSv1.2" }, handler);
  server.setTimeout(60_000);
  return server;
}

function listen(server: Server | TlsServer, { name, listener }: BindOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (caught: Error) =>
      reject(FireRunnerError.from(caught, "FR-CONFIG", `binding the ${name} listener to ${listener.listen}`));
    server.once("error", refuse);
    server.listen({ ...addressOf(listener.listen), backlog: 4096 }, () => {
      server.off("error", refuse);
      resolve();
    });
  });
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
