import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../model/clock.js";
import { seededRandom } from "../host/seeded-random.js";
import { type Settler, settleIn } from "./settle-in.fixture.js";
import { type EmbeddedGitLab, startEmbeddedGitLab } from "./start.js";

const run = promisify(execFile);

/** What of a JSON answer a test looks at. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose shape is what they check
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Json;
}

export interface TestGitLab {
  readonly gitlab: EmbeddedGitLab;
  readonly directory: string;
  /** A request to the API with the administrator's token. */
  api(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** A request with nothing but these headers. */
  bare(method: string, path: string, headers?: Readonly<Record<string, string>>, body?: unknown): Promise<Answer>;
  /** A request to the API with another token. */
  as(token: string, method: string, path: string, body?: unknown): Promise<Answer>;
  /** Asks for a job with a runner's token. */
  take(token: string, body?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Makes groups, projects, tokens of people with roles, and protected refs. */
  readonly settle: Settler;
  /** Pushes a folder with these files to a project, which is made if need be, as a branch or as a tag. */
  push(
    path: string,
    files: Readonly<Record<string, string>>,
    options?: { branch?: string; tag?: string; message?: string },
  ): Promise<Pushed>;
  /** Makes a runner for a project and returns its token. */
  runner(projectId: number, settings?: Readonly<Record<string, unknown>>): Promise<{ readonly id: number; readonly token: string }>;
}

interface Pushed {
  readonly projectId: number;
  /** Where it was pushed from; not to be changed. */
  readonly folder: string;
}

/** A GitLab on a free port, which ends with the test. */
export async function startTestGitLab(clock: Clock = systemClock): Promise<TestGitLab> {
  const directory = await mkdtemp(join(tmpdir(), "embedded-gitlab-"));
  const gitlab = await startEmbeddedGitLab({ listen: "127.0.0.1:0", directory, clock, random: seededRandom() });
  onTestFinished(async () => {
    await gitlab.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const bare: TestGitLab["bare"] = (method, path, headers, body) => request(`${gitlab.url}${path}`, method, headers, body);
  const api: TestGitLab["api"] = (method, path, body, headers) =>
    bare(method, `/api/v4${path}`, { "private-token": gitlab.token, ...headers }, body);
  return {
    gitlab,
    directory,
    api,
    bare,
    as: (token, method, path, body) => bare(method, `/api/v4${path}`, { "private-token": token }, body),
    take: (token, body = {}) => bare("POST", "/api/v4/jobs/request", {}, { token, system_id: "s_1", ...body }),
    settle: settleIn(gitlab),
    async push(path, files, { branch = "main", tag, message = "Change something" } = {}) {
      const folder = await commitOf(files, branch, message);
      const { host } = new URL(gitlab.url);
      const ref = tag === undefined ? branch : `${branch}:refs/tags/${tag}`;
      await git(folder, "push", "--quiet", "--force", `http://root:${gitlab.token}@${host}/${path}.git`, ref);
      return { folder, projectId: (await api("GET", `/projects/${encodeURIComponent(path)}`)).body.id };
    },
    async runner(projectId, settings = {}) {
      const asked = { runner_type: "project_type", project_id: projectId, run_untagged: true, ...settings };
      return (await api("POST", "/user/runners", asked)).body;
    },
  };
}

const folders = new Map<string, Promise<string>>();
afterAll(async () => {
  for (const folder of folders.values()) await rm(await folder, { recursive: true, force: true });
});

/** A folder with one commit. Tests that ask for the same share it, because every run of git takes its time. */
function commitOf(files: Readonly<Record<string, string>>, branch: string, message: string): Promise<string> {
  const key = JSON.stringify([files, branch, message]);
  const made = folders.get(key) ?? makeCommit(files, branch, message);
  folders.set(key, made);
  return made;
}

async function makeCommit(files: Readonly<Record<string, string>>, branch: string, message: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pushed-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  await git(folder, "init", "--quiet", `--initial-branch=${branch}`);
  await git(folder, "add", ".");
  await git(folder, "commit", "--quiet", "-m", message);
  return folder;
}

async function request(url: string, method: string, headers: Readonly<Record<string, string>> = {}, body?: unknown): Promise<Answer> {
  const raw = typeof body === "string" || Buffer.isBuffer(body);
  const sent = new Headers(headers);
  if (body !== undefined && !raw && !sent.has("content-type")) sent.set("content-type", "application/json");
  const response = await fetch(url, {
    method,
    headers: sent,
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    redirect: "manual",
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json") === true && text !== "";
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined };
}

/** Runs git without anybody's own settings. Rejects with its words when it fails. */
export async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: cwd,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.com",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.com",
  };
  const { stdout } = await run("git", [...args], { cwd, env, timeout: 15_000 });
  return stdout;
}

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Json;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** What is answered from now on; a promise is waited for. */
  answer: (received: Received) => number | Promise<number>;
}

/** A server that takes webhooks, which ends with the test. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", async () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const one = { headers: incoming.headers, text, body: JSON.parse(text) };
      received.push(one);
      response.writeHead(await receiver.answer(one)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const receiver: Receiver = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received, answer: () => 200 };
  return receiver;
}

/** A pipeline of one job for runners of any kind. */
export const oneJob = "unit:\n  script: [echo hello]\n";
