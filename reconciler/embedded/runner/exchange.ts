import { type IncomingHttpHeaders, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Clock } from "../../model/clock.js";

/** One request to the coordinator. */
export interface Question {
  readonly method: "POST" | "PUT" | "PATCH";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly timeoutMs: number;
  /** Ends the exchange early. */
  readonly signal?: AbortSignal;
}

/** What came back; `unreachable` when no whole answer did. */
export type Answer =
  | { readonly kind: "answer"; readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }
  | { readonly kind: "unreachable"; readonly why: string };

/** The most of an answer that is read: jobs may carry large variables, nothing else is long. */
const maxAnswerBytes = 16 * 1_048_576;

/** Sends one request, once. Never rejects. */
export function exchange(question: Question, clock: Clock): Promise<Answer> {
  const open = question.url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const fail = (why: string) => {
      cancel();
      question.signal?.removeEventListener("abort", abort);
      resolve({ kind: "unreachable", why });
      request.destroy();
    };
    const request = open(
      question.url,
      // A connection of its own each time: a runner asks rarely, and a kept one may be gone by the next time.
      { method: question.method, agent: false, headers: { ...question.headers, "Content-Length": question.body.length } },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.length;
          if (length > maxAnswerBytes) fail(`the answer is longer than ${maxAnswerBytes} bytes`);
        });
        response.on("error", (error) => fail(error.message));
        response.on("end", () => {
          cancel();
          question.signal?.removeEventListener("abort", abort);
          resolve({ kind: "answer", status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
        });
      },
    );
    const abort = () => fail("the runner was stopped");
    const cancel = clock.after(question.timeoutMs, () => fail(`no answer in ${question.timeoutMs / 1000} s`));
    request.on("error", (error) => fail(error.message));
    if (question.signal?.aborted === true) return abort();
    question.signal?.addEventListener("abort", abort, { once: true });
    request.end(question.body);
  });
}
