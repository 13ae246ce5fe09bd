import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "../../../model/clock.js";

/** What came of a POST: the receiver's status, or why there was none. */
export type Posted = { readonly status: number } | { readonly failure: string };

/** Sends webhooks. */
export interface Poster {
  /** Never rejects. */
  post(url: string, headers: Readonly<Record<string, string>>, body: string, verifyTls: boolean): Promise<Posted>;
  /** Breaks off what is under way. */
  stop(): void;
}

export function createPoster(clock: Clock, timeoutMs: number): Poster {
  const http = new HttpAgent({ keepAlive: true, maxFreeSockets: 16 });
  const https = new HttpsAgent({ keepAlive: true, maxFreeSockets: 16 });
  const open = new Set<() => void>();

  function begin(url: string, headers: Readonly<Record<string, string>>, verifyTls: boolean): ClientRequest {
    const target = new URL(url);
    const { username, password } = target;
    const auth = username === "" ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` };
    const options = { method: "POST", headers, ...auth };
    return target.protocol === "https:"
      ? httpsRequest(target, { ...options, agent: https, rejectUnauthorized: verifyTls })
      : httpRequest(target, { ...options, agent: http });
  }

  return {
    post: (url, headers, body, verifyTls) =>
      new Promise((resolve) => {
        let sent: ClientRequest | undefined;
        const end = (posted: Posted) => {
          cancel();
          open.delete(abort);
          resolve(posted);
        };
        const abort = () => {
          end({ failure: "the embedded GitLab stopped" });
          sent?.destroy();
        };
        const cancel = clock.after(timeoutMs, () => {
          end({ failure: `no answer within ${timeoutMs / 1000} s` });
          sent?.destroy();
        });
        open.add(abort);
        try {
          sent = begin(url, { ...headers, "content-length": String(Buffer.byteLength(body)) }, verifyTls);
          sent.on("error", (error) => end({ failure: error.message }));
          sent.on("response", (response) => {
            // Only the status counts; what is said beyond it is read and forgotten.
            response.on("error", () => {});
            response.resume();
            end({ status: response.statusCode ?? 0 });
          });
          sent.end(body);
        } catch (caught) {
          // A header that cannot be sent, for example a secret token with a line break.
          end({ failure: caught instanceof Error ? caught.message : String(caught) });
        }
      }),
    stop() {
      for (const abort of [...open]) abort();
      http.destroy();
      https.destroy();
    },
  };
}
