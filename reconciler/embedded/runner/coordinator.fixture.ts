import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A request as it arrived. */
export interface Seen {
  readonly call: "request" | "log" | "update";
  readonly headers: IncomingHttpHeaders;
  /** A JSON body; empty for parts of a log. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export type Reply =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  /** The connection is cut. */
  | "drop"
  /** Answered when the test says so. */
  | Promise<{ readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }>;

/** What to answer; undefined leaves it to the fixture, which takes whatever it is told. */
export type Script = (seen: Seen, all: readonly Seen[]) => Reply | undefined;

export interface ScriptedCoordinator {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** The job's log as it was put together from its parts. */
  log(): string;
  of(call: Seen["call"]): readonly Seen[];
}

/** A job that the fixture hands out once. */
export function aJob(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    id: 101,
    token: "job-token-101",
    job_info: { name: "unit", stage: "test", project_id: 7, project_name: "demo" },
    git_info: { repo_url: "http://gitlab.test/group/demo.git", ref: "main", sha: "1".repeat(40), refspecs: [], depth: 0 },
    runner_info: { timeout: 3600 },
    variables: [{ key: "GIT_STRATEGY", value: "none", public: true, file: false, masked: false, raw: false }],
    steps: [step("script", ["echo hello"])],
    ...changes,
  };
}

export function step(name: string, script: readonly string[], when = "on_success"): Readonly<Record<string, unknown>> {
  return { name, script, timeout: 3600, when, allow_failure: name === "after_script" };
}

export function variable(key: string, value: string, changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { key, value, public: true, file: false, masked: false, raw: false, ...changes };
}

/** A GitLab as far as a runner sees it: hands out `job` once, takes the log and the end; `script` may answer otherwise. It ends with the test. */
export async function startCoordinator(
  job: Readonly<Record<string, unknown>> | undefined,
  script: Script = () => undefined,
): Promise<ScriptedCoordinator> {
  const seen: Seen[] = [];
  let handedOut = job === undefined;
  let log = Buffer.alloc(0);
  const usual = (request: Seen): Exclude<Reply, "drop" | Promise<unknown>> => {
    if (request.call === "request") {
      if (handedOut) return { status: 204 };
      handedOut = true;
      return { status: 201, body: job };
    }
    if (request.call === "update") return { status: 200, headers: { "Job-Status": "running" } };
    const [first, last] = String(request.headers["content-range"]).split("-").map(Number);
    const part = Buffer.from(request.text);
    if (first !== log.length || last !== log.length + part.length - 1) return { status: 416, headers: { Range: `0-${log.length}` } };
    log = Buffer.concat([log, part]);
    return { status: 202, headers: { "Job-Status": "running", Range: `0-${log.length}`, "X-GitLab-Trace-Update-Interval": "3" } };
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const text = Buffer.concat(chunks).toString();
      const call = callOf(`${request.method} ${request.url}`);
      const one: Seen = { call, headers: request.headers, text, body: call === "log" ? {} : JSON.parse(text) };
      seen.push(one);
      const reply = await (script(one, seen) ?? usual(one));
      if (reply === "drop") return request.socket.destroy();
      response.writeHead(reply.status, { "Content-Type": "application/json", ...reply.headers });
      response.end(reply.body === undefined ? "" : JSON.stringify(reply.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    seen,
    log: () => log.toString(),
    of: (call) => seen.filter((each) => each.call === call),
  };
}

function callOf(line: string): Seen["call"] {
  if (line === "POST /api/v4/jobs/request") return "request";
  if (line === "PATCH /api/v4/jobs/101/trace?debug_trace=false") return "log";
  if (line === "PUT /api/v4/jobs/101") return "update";
  throw new Error(`no runner asks for ${line}`);
}
