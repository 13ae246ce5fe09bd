import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../../model/clock.js";
import { maxHeadBytes, readCgiHead } from "./cgi-answer.js";
import type { GitProcess, GitProcesses } from "./processes.js";

export type GitService = "git-upload-pack" | "git-receive-pack";

/** One request of git's smart HTTP protocol. */
export interface GitRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Where all repositories are, and the path of this one and of its service under it: `/7.git/info/refs`. */
  readonly root: string;
  readonly path: string;
  readonly query: string;
  readonly user: string;
}

export interface BackendOptions {
  readonly git: GitProcesses;
  readonly clock: Clock;
  readonly maxRequestBytes: number;
}

/** A clone of a large repository over a slow line may take its time, but not forever. */
const timeoutMs = 1_800_000;

/**
 * Answers the request with git's own `http-backend`. `beforeEnd` runs when git is done and before the answer ends, so
 * that whoever pushed sees what came of it. Settles when the answer has ended, however it ended.
 */
export async function answerWithBackend(
  { git, clock, maxRequestBytes }: BackendOptions,
  { request, response, root, path, query, user }: GitRequest,
  beforeEnd: () => Promise<void>,
): Promise<void> {
  const header = (name: string) => String(request.headers[name] ?? "");
  const backend = await git.start(["http-backend"], {
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: path,
    QUERY_STRING: query,
    REQUEST_METHOD: request.method ?? "GET",
    CONTENT_TYPE: header("content-type"),
    ...(request.headers["content-length"] === undefined ? {} : { CONTENT_LENGTH: header("content-length") }),
    HTTP_CONTENT_ENCODING: header("content-encoding"),
    GIT_PROTOCOL: header("git-protocol"),
    REMOTE_USER: user,
    REMOTE_ADDR: request.socket.remoteAddress ?? "",
  });
  const cancel = clock.after(timeoutMs, backend.kill);
  response.once("close", backend.kill);
  // Whoever asked may have gone while git waited for its place or started.
  if (response.destroyed) backend.kill();
  try {
    feed(backend, request, maxRequestBytes);
    backend.child.stderr.resume();
    const relayed = await relay(backend, response).then(
      () => true,
      () => false,
    );
    // Also when nobody listens any more: what was pushed was pushed.
    await backend.ended;
    await beforeEnd();
    if (relayed) response.end();
    else if (response.headersSent) response.destroy();
    else response.writeHead(502, { "content-type": "text/plain" }).end("git failed\n");
  } finally {
    cancel();
    response.removeListener("close", backend.kill);
    backend.kill();
    await backend.ended.catch(() => null);
  }
}

function feed(backend: GitProcess, request: IncomingMessage, maxBytes: number): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) backend.kill();
  });
  request.pipe(backend.child.stdin);
}

async function relay(backend: GitProcess, response: ServerResponse): Promise<void> {
  let held: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of backend.child.stdout as AsyncIterable<Buffer>) {
    if (held === undefined) {
      await write(response, chunk);
      continue;
    }
    held = Buffer.concat([held, chunk]);
    const answer = readCgiHead(held);
    if (answer === undefined) {
      if (held.length > maxHeadBytes) throw new Error("git's answer has no head");
      continue;
    }
    held = undefined;
    response.writeHead(answer.head.status, Object.fromEntries(answer.head.headers));
    await write(response, answer.body);
  }
  if (held !== undefined) throw new Error("git's answer has no head");
}

/** Waits for a slow reader, unless it went away. */
function write(response: ServerResponse, chunk: Buffer): Promise<void> {
  if (chunk.length === 0 || response.destroyed || response.write(chunk)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.removeListener("drain", done);
      response.removeListener("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
