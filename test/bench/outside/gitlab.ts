import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { projectId } from "./job-hook.js";

/** A bare GitLab: it answers what is asked of it for one project, and writes down when. Times are milliseconds of this process's clock. */
export interface StubGitLab {
  readonly url: string;
  /** When each job was read first. */
  readonly readAt: ReadonlyMap<number, number>;
  /** When each microVM's runner had been made, by the microVM's name. */
  readonly runnerMadeAt: ReadonlyMap<string, number>;
  /** From now on this job waits. */
  addJob(jobId: number): void;
  /** From now on every request is answered only after so long. */
  hold(ms: number): void;
  stop(): void;
}

/** Tags that every job carries: those of the pool and of its size. */
export const jobTags = ["linux", "small"] as const;

const perPage = 100;

export async function startStubGitLab(): Promise<StubGitLab> {
  const jobs: number[] = [];
  const readAt = new Map<number, number>();
  const runnerMadeAt = new Map<string, number>();
  const runners = new Map<number, string>();
  let runnerIds = 0;
  let heldMs = 0;

  /** Keyset pages, newest first; every job goes on waiting. */
  function listJobs(url: URL, response: ServerResponse): void {
    const before = Number(url.searchParams.get("cursor") ?? Number.POSITIVE_INFINITY);
    const page = jobs
      .filter((id) => id < before)
      .slice(-perPage)
      .toReversed();
    const last = page.at(-1);
    const next = `<http://${url.host}${url.pathname}?cursor=${last}&per_page=${perPage}>; rel="next"`;
    give(response, 200, `[${page.map(jobEntity).join(",")}]`, page.length < perPage ? {} : { link: next });
  }

  function listRunners(url: URL, response: ServerResponse): void {
    const page = Number(url.searchParams.get("page") ?? 1);
    const all = [...runners].slice((page - 1) * perPage, page * perPage);
    const next = page * perPage < runners.size ? String(page + 1) : "";
    give(response, 200, `[${all.map(([id, description]) => runnerEntity(id, description)).join(",")}]`, { "x-next-page": next });
  }

  function makeRunner(body: string, response: ServerResponse): void {
    const { description } = JSON.parse(body) as { readonly description: string };
    const id = ++runnerIds;
    runners.set(id, description);
    give(response, 201, JSON.stringify({ id, token: `glrt-${"x".repeat(20)}${id}`, token_expires_at: null }));
    runnerMadeAt.set(description.slice(description.lastIndexOf("/") + 1), performance.now());
  }

  function answer(request: IncomingMessage, body: string, response: ServerResponse): void {
    const url = new URL(request.url ?? "", `http://${request.headers.host}`);
    const path = url.pathname.replace("/api/v4", "");
    const jobId = Number(/^\/projects\/\d+\/jobs\/(\d+)$/.exec(path)?.[1]);
    if (jobId > 0) {
      if (!readAt.has(jobId)) readAt.set(jobId, performance.now());
      give(response, 200, jobEntity(jobId));
    } else if (path === `/projects/${projectId}/jobs`) listJobs(url, response);
    else if (path === `/projects/${projectId}/runners`) listRunners(url, response);
    else if (path === "/user/runners") makeRunner(body, response);
    else if (request.method === "PUT") give(response, 200, runnerEntity(Number(path.split("/").at(-1)), ""));
    else if (request.method === "DELETE") {
      runners.delete(Number(path.split("/").at(-1)));
      give(response, 204, "");
    } else if (/^\/runners\/\d+\/jobs$/.test(path)) give(response, 200, "[]");
    else give(response, 404, '{"message":"404 Not Found"}');
  }

  /** What is held when this GitLab stops is never answered: its connections are closed then. */
  function answerInTime(request: IncomingMessage, body: string, response: ServerResponse): void {
    if (heldMs === 0) answer(request, body, response);
    else setTimeout(() => answer(request, body, response), heldMs).unref();
  }

  const server = createServer((request, response) => {
    if (request.method === "GET") return answerInTime(request, "", response);
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => answerInTime(request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 4096, resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    readAt,
    runnerMadeAt,
    addJob: (jobId) => void jobs.push(jobId),
    hold(ms) {
      heldMs = ms;
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function give(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}

const person = { id: 12, username: "mira", public_email: "", name: "Mira Okafor", state: "active", locked: false, avatar_url: null };
const sha = "4c1f0b6a2d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a";
const placeholder = 987_654_321;

/** The whole entity of a waiting job. */
const [jobBefore = "", ...jobAfter] = JSON.stringify({
  id: placeholder,
  status: "pending",
  stage: "test",
  name: "unit: [20]",
  ref: "main",
  tag: false,
  coverage: null,
  allow_failure: false,
  created_at: "2026-02-03T04:05:06.000Z",
  started_at: null,
  finished_at: null,
  erased_at: null,
  duration: null,
  queued_duration: 0.412_345,
  user: {
    ...person,
    web_url: "https://gitlab.example.com/mira",
    created_at: "2024-05-06T07:08:09.000Z",
    bio: "",
    location: "",
    pronouns: null,
  },
  commit: {
    id: sha,
    short_id: sha.slice(0, 8),
    created_at: "2026-02-03T04:00:00.000+00:00",
    parent_ids: ["5d2f1c7b3eaf907b8c6d5e4f3a2b1c0d9e8f7a6b"],
    title: "Say quay where the quay is meant",
    message: "Say quay where the quay is meant\n",
    author_name: person.name,
    author_email: "mira@example.com",
    authored_date: "2026-02-03T04:00:00.000+00:00",
    committer_name: person.name,
    committer_email: "mira@example.com",
    committed_date: "2026-02-03T04:00:00.000+00:00",
    trailers: {},
    extended_trailers: {},
    web_url: `https://gitlab.example.com/harbour/wharf/-/commit/${sha}`,
  },
  pipeline: {
    id: 9001,
    iid: 17,
    project_id: projectId,
    sha,
    ref: "main",
    status: "pending",
    source: "push",
    created_at: "2026-02-03T04:05:05.000Z",
    updated_at: "2026-02-03T04:05:06.000Z",
    web_url: "https://gitlab.example.com/harbour/wharf/-/pipelines/9001",
  },
  web_url: `https://gitlab.example.com/harbour/wharf/-/jobs/${placeholder}`,
  project: { ci_job_token_scope_enabled: false },
  artifacts: [],
  runner: null,
  runner_manager: null,
  artifacts_expire_at: null,
  archived: false,
  tag_list: jobTags,
}).split(String(placeholder));

const jobEntity = (id: number): string => `${jobBefore}${jobAfter.map((text) => id + text).join("")}`;

function runnerEntity(id: number, description: string): string {
  return JSON.stringify({
    id,
    description,
    ip_address: null,
    active: true,
    paused: false,
    is_shared: false,
    runner_type: "project_type",
    name: null,
    online: null,
    status: "never_contacted",
  });
}
