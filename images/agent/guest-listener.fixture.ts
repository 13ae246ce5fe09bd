import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it arrived; `body` is the whole text. */
interface GuestRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  /** The token of the metadata service's version 2. */
  readonly metadataToken: string | undefined;
  readonly body: string;
  /** The listener as the request named it. */
  readonly origin: string;
}

/** What to answer; `drop` cuts the connection without a word, `hang` never answers. */
type GuestAnswer = { readonly status: number; readonly body?: string } | "drop" | "hang";

/** The reconciler's side of the guest protocol with its answers given by the test. */
export interface GuestListener {
  readonly url: string;
  readonly requests: readonly GuestRequest[];
  /** Requests of one call, e.g. `claim`. */
  of(call: string): readonly GuestRequest[];
  /** Resolves at the next moment when `condition` holds (checked after each request); rejects after ten seconds. */
  until(condition: () => boolean, what: string): Promise<void>;
  stop(): Promise<void>;
}

export type GuestScript = (call: string, request: GuestRequest, nth: number) => GuestAnswer | undefined;

const usual: Readonly<Record<string, GuestAnswer>> = {
  claim: { status: 200, body: "action=run\n" },
  next: { status: 200, body: "action=park\n" },
  heartbeat: { status: 200, body: "action=continue\n" },
  log: { status: 200, body: "action=continue\n" },
  done: { status: 200, body: "action=off\n" },
};

const runnerConfig = `concurrent = 1
check_interval = 0
shutdown_timeout = 0
log_level = "info"

[[runners]]
  name = "fr-small-1"
  url = "https://gitlab.test"
  id = 42
  token = "glrt-token-of-the-test"
  executor = "shell"
  shell = "bash"
`;

/** Starts a listener on loopback; `script` may answer a call (its `nth`, from 1) otherwise than usual. */
export async function startGuestListener(script: GuestScript = () => undefined): Promise<GuestListener> {
  const requests: GuestRequest[] = [];
  const checks = new Set<() => void>();
  const counts = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    void readBody(incoming).then((body) => {
      const request = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        authorization: incoming.headers.authorization,
        contentType: incoming.headers["content-type"],
        metadataToken: incoming.headers["x-metadata-token"]?.toString(),
        body,
        origin: `http://${incoming.headers.host}`,
      };
      requests.push(request);
      const call = callOf(request.path);
      const nth = (counts.get(call) ?? 0) + 1;
      counts.set(call, nth);
      const answer =
        script(call, request, nth) ?? usual[call] ?? (call === "config" ? { status: 200, body: runnerConfig } : { status: 404 });
      for (const check of checks) check();
      if (answer === "drop") incoming.socket.destroy();
      else if (answer !== "hang") outgoing.writeHead(answer.status, { "content-type": "text/plain" }).end(answer.body ?? "");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    of: (call) => requests.filter(({ path }) => callOf(path) === call),
    until: (condition, what) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!condition()) return;
          clearTimeout(deadline);
          checks.delete(check);
          resolve();
        };
        const deadline = setTimeout(() => {
          checks.delete(check);
          reject(new Error(`not seen in time: ${what}; requests: ${requests.map(({ path, body }) => `${path} ${body}`).join(" | ")}`));
        }, 10_000);
        checks.add(check);
        check();
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function callOf(path: string): string {
  return path.replace(/\?.*$/, "").replace(/^.*\//, "");
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
