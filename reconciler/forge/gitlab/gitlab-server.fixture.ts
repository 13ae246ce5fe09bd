import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type Connection, connectionSchema, type Scope } from "../../model/connection.js";
import { HurriedClock } from "../../model/hurried-clock.fixture.js";
import type { ForgePort } from "../port.js";
import { createGitLabForge } from "./gitlab-forge.js";
import { defaultForgeLimits, type ForgeLimits } from "./limits.js";

/** A request as it came over the wire. */
interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: unknown;
  /** Counts the connections that requests came on. */
  readonly connection: number;
}

/** What is answered: JSON unless `text` is given; `hang` never, `reset` by breaking the connection, `cut` in the middle of a body. */
type Reply =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly json?: unknown }
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly text: string; readonly type: string }
  | "hang"
  | "reset"
  | "cut";

export interface ScriptedGitLab {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  /** The replies to `METHOD /path` are given in their order, the last one again and again; what has none is answered 404. */
  script(call: string, ...replies: readonly (Reply | ((request: SeenRequest) => Reply | Promise<Reply>))[]): void;
  /** Settles when so many requests have come. */
  untilSeen(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startScriptedGitLab(): Promise<ScriptedGitLab> {
  const seen: SeenRequest[] = [];
  const scripts = new Map<string, (Reply | ((request: SeenRequest) => Reply | Promise<Reply>))[]>();
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const connections = new Map<unknown, number>();

  const server = createServer((incoming, response) => {
    void read(incoming).then(async (text) => {
      const [path = "", query = ""] = (incoming.url ?? "").replace(/^\/api\/v4/, "").split("?");
      if (!connections.has(incoming.socket)) connections.set(incoming.socket, connections.size);
      const request: SeenRequest = {
        method: incoming.method ?? "",
        path,
        query: decodeURIComponent(query),
        headers: incoming.headers,
        body: text === "" ? undefined : JSON.parse(text),
        connection: connections.get(incoming.socket) ?? -1,
      };
      seen.push(request);
      const replies = scripts.get(`${request.method} ${path}`) ?? [];
      const next = (replies.length > 1 ? replies.shift() : replies[0]) ?? { status: 404, json: { error: "404 Not Found" } };
      give(typeof next === "function" ? await next(request) : next, response);
      for (const { count, resolve } of waiting) if (seen.length >= count) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    script: (call, ...replies) => void scripts.set(call, [...replies]),
    untilSeen: (count) => (seen.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }))),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function give(reply: Reply, response: ServerResponse): void {
  if (reply === "hang") return;
  if (reply === "reset") return void response.socket?.destroy();
  if (reply === "cut") {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"id":', () => response.socket?.destroy());
    return;
  }
  const [type, text] = "text" in reply ? [reply.type, reply.text] : ["application/json", JSON.stringify(reply.json) ?? ""];
  response.writeHead(reply.status ?? 200, { ...(text === "" ? {} : { "content-type": type }), ...reply.headers });
  response.end(text);
}

/** A scripted GitLab, and a forge that speaks to it on a test's clock. */
export interface World {
  readonly gitlab: ScriptedGitLab;
  readonly forge: ForgePort;
  readonly clock: HurriedClock;
  /** By reference; `env:TOKEN` is there from the start. */
  readonly secrets: Map<string, string>;
  connection(scope?: Scope): Connection;
}

export const token = "glpat-not-a-real-token";

/** Is stopped when the test has ended. */
export async function startWorld(limits: Partial<ForgeLimits> = {}): Promise<World> {
  const gitlab = await startScriptedGitLab();
  const clock = new HurriedClock(limits.requestMs ?? defaultForgeLimits.requestMs);
  const secrets = new Map([["env:TOKEN", token]]);
  const resolveSecret = (ref: string) => secrets.get(ref) ?? "";
  const forge = createGitLabForge({ clock, random: { next: () => 0.5, hex: () => "" }, resolveSecret, limits });
  onTestFinished(async () => {
    await forge.stop();
    await gitlab.stop();
  });
  return {
    gitlab,
    forge,
    clock,
    secrets,
    connection: (scope = { projectId: 380 }) =>
      connectionSchema.parse({ name: "harbour", kind: "gitlab", url: gitlab.url, token: "env:TOKEN", scope }),
  };
}

/** A job as GitLab's REST API tells it. */
export const aJob = (overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  id: 41_977,
  status: "pending",
  stage: "test",
  name: "unit",
  ref: "main",
  tag: false,
  coverage: null,
  allow_failure: false,
  created_at: "2026-02-02T02:40:00.000Z",
  started_at: null,
  finished_at: null,
  erased_at: null,
  duration: null,
  queued_duration: 2.5,
  user: { id: 12, username: "mira", name: "Mira Okafor", state: "active" },
  commit: { id: "4c1f0b6a2d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a", short_id: "4c1f0b6a", title: "Say quay" },
  pipeline: { id: 9001, iid: 17, project_id: 380, sha: "4c1f0b6a", ref: "main", status: "pending", source: "push" },
  web_url: "https://gitlab.example.com/harbour/wharf/-/jobs/41977",
  project: { ci_job_token_scope_enabled: false },
  artifacts: [],
  runner: null,
  runner_manager: null,
  artifacts_expire_at: null,
  archived: false,
  tag_list: ["linux", "small"],
  ...overrides,
});

/** A runner as GitLab lists it. */
export const aRunner = (id: number, description: string, paused = false): Record<string, unknown> => ({
  id,
  description,
  ip_address: null,
  active: !paused,
  paused,
  is_shared: false,
  runner_type: "project_type",
  name: null,
  online: null,
  status: "never_contacted",
});
