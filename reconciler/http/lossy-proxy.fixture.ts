import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request that passes: `lost-reply` is one that the other side has carried out all the same. */
export type Fate = "pass" | "lost-request" | "lost-reply";

export interface LossyProxy {
  readonly url: string;
  /** How often each call (the last part of the path) arrived. */
  count(call: string): number;
  stop(): Promise<void>;
}

/** Stands on loopback before `target` and loses what `fateOf` says; `nth` counts the requests of a call from 1. */
export async function startLossyProxy(target: string, fateOf: (call: string, nth: number) => Fate): Promise<LossyProxy> {
  const counts = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    const call = (incoming.url ?? "").replace(/\?.*$/, "").replace(/^.*\//, "");
    const nth = (counts.get(call) ?? 0) + 1;
    counts.set(call, nth);
    const fate = fateOf(call, nth);
    if (fate === "lost-request") {
      incoming.socket.destroy();
      return;
    }
    const { method, headers } = incoming;
    const forwarded = request(`${target}${incoming.url}`, { method, headers, agent: false }, (answer) => {
      if (fate === "lost-reply") {
        answer.resume().once("end", () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => incoming.socket.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: (call) => counts.get(call) ?? 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
