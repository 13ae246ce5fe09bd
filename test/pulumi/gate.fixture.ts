import { createServer, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A way to the admin API on which answers can be held back. */
export interface Gate {
  readonly url: string;
  /** From now on requests of this method are handed on, but their answers are kept. */
  hold(method: string): void;
  /** How many answers are kept. */
  held(): number;
  /** Drops what is kept, and lets everything pass again. */
  release(): void;
  stop(): Promise<void>;
}

/** Opens it before a service. */
export async function openGate(target: string): Promise<Gate> {
  let holding: string | undefined;
  const kept = new Set<ServerResponse>();
  const server: Server = createServer((incoming, outgoing) => {
    const onward = request(`${target}${incoming.url ?? "/"}`, { method: incoming.method, headers: incoming.headers });
    onward.on("response", (answer) => {
      if (incoming.method === holding) {
        answer.resume();
        kept.add(outgoing);
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const release = (): void => {
    holding = undefined;
    for (const outgoing of kept) outgoing.destroy();
    kept.clear();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: (method) => {
      holding = method;
    },
    held: () => kept.size,
    release,
    async stop() {
      release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
