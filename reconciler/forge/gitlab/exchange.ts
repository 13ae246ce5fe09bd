import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "../../model/clock.js";
import type { AnswerHeaders } from "./wish.js";

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly text: string;
  /** How many bytes before `text` were left out. */
  readonly leftOutBytes: number;
}

/** No answer: `sent` tells whether the other side may have seen the request, `reason` is for people. */
export class NoAnswer extends Error {
  constructor(
    readonly reason: string,
    readonly sent: boolean,
  ) {
    super(reason);
    this.name = "NoAnswer";
  }
}

/** The other side answered more than is read; `limit` is in bytes. */
export class AnswerTooLarge extends Error {
  constructor(readonly limit: number) {
    super(`the answer is larger than ${limit} bytes`);
    this.name = "AnswerTooLarge";
  }
}

export interface ExchangeBounds {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** What becomes of an answer that is larger: it is refused, or only its end is kept. */
  readonly larger: "refuse" | "keep-end";
  readonly signal: AbortSignal;
}

/** HTTP with connections that are kept between requests. */
export interface Transport {
  /**
   * One request and its whole answer. Rejects with `NoAnswer`, `AnswerTooLarge`, or the signal's reason. Redirects are
   * not followed: they would carry the token to another address and turn a POST into a GET.
   */
  exchange(request: HttpRequest, bounds: ExchangeBounds): Promise<HttpAnswer>;
  /** Closes the kept connections. */
  stop(): void;
}

/** Below what proxies keep a silent connection for, so that ours is seldom closed under a request. */
const freeSocketMs = 20_000;

/**
 * Node's own client, because `fetch` costs three times as much of a processor for each small answer. It speaks no
 * content encodings, and trusts the authorities that Node trusts (`NODE_EXTRA_CA_CERTS` adds some).
 */
export function createTransport(clock: Clock): Transport {
  const kept = { keepAlive: true, maxFreeSockets: 32, timeout: freeSocketMs };
  const plain = new HttpAgent(kept);
  const secure = new HttpsAgent(kept);

  function open(request: HttpRequest): ClientRequest {
    const url = new URL(request.url);
    const isSecure = url.protocol === "https:";
    // A kept connection may be closed by the other side while a request is on its way, and then nobody knows whether it
    // was seen. What must not be done twice gets a connection of its own.
    const agent = request.method === "POST" ? false : isSecure ? secure : plain;
    const length = request.body === undefined ? {} : { "content-length": String(Buffer.byteLength(request.body)) };
    const headers = { ...request.headers, "accept-encoding": "identity", ...length };
    return (isSecure ? httpsRequest : httpRequest)(url, { method: request.method, headers, agent });
  }

  return {
    exchange(request, bounds) {
      return new Promise((resolve, reject) => {
        const { signal, timeoutMs } = bounds;
        if (signal.aborted) return reject(signal.reason);
        const sending = open(request);
        let reached = false;
        const end = (settle: () => void) => {
          cancel();
          signal.removeEventListener("abort", aborted);
          settle();
        };
        const fail = (reason: unknown) => {
          end(() => reject(reason));
          sending.destroy();
        };
        const aborted = () => fail(signal.reason);
        const cancel = clock.after(timeoutMs, () => fail(new NoAnswer(`no answer within ${timeoutMs / 1000} s`, reached)));
        signal.addEventListener("abort", aborted, { once: true });

        sending.once("socket", (socket) => {
          if (sending.reusedSocket) reached = true;
          else socket.once("encrypted" in socket ? "secureConnect" : "connect", () => (reached = true));
        });
        sending.on("error", (error) => fail(noAnswer(error, reached)));
        sending.once("response", (response) => {
          const body = createBody(bounds);
          response.on("data", (chunk: Buffer) => {
            if (!body.take(chunk)) fail(new AnswerTooLarge(bounds.maxBytes));
          });
          response.once("end", () => end(() => resolve(answerOf(response, body.end()))));
          response.on("error", (error) => fail(noAnswer(error, true)));
        });
        sending.end(request.body);
      });
    },

    stop() {
      plain.destroy();
      secure.destroy();
    },
  };
}

function answerOf(response: IncomingMessage, body: Pick<HttpAnswer, "text" | "leftOutBytes">): HttpAnswer {
  return { status: response.statusCode ?? 0, headers: single(response.headers), ...body };
}

function single(headers: IncomingHttpHeaders): AnswerHeaders {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name] = typeof value === "string" ? value : value.join(", ");
  }
  return result;
}

/** Collects a body within its bound: `take` answers false when it would be exceeded. */
function createBody({ maxBytes, larger }: ExchangeBounds) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let leftOutBytes = 0;
  return {
    take(chunk: Buffer): boolean {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= maxBytes) return true;
      if (larger === "refuse") return false;
      for (let first = chunks[0]; first !== undefined && bytes - first.length >= maxBytes; first = chunks[0]) {
        chunks.shift();
        bytes -= first.length;
        leftOutBytes += first.length;
      }
      return true;
    },
    end(): Pick<HttpAnswer, "text" | "leftOutBytes"> {
      const all = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
      const start = Math.max(0, bytes - maxBytes);
      return { text: all.toString("utf8", start), leftOutBytes: leftOutBytes + start };
    },
  };
}

/** Only the error's code is told, never its text: that can hold header values. */
function noAnswer(error: Error, reached: boolean): NoAnswer {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code === undefined) return new NoAnswer("the connection failed", reached);
  if (reached) return new NoAnswer(`the connection broke (${code})`, true);
  const certificate = /CERT|^UNABLE_TO_/.test(code) ? "; if its authority is your own, name it in NODE_EXTRA_CA_CERTS" : "";
  return new NoAnswer(`it cannot be reached (${code})${certificate}`, false);
}
