import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Answer, type Json, startTestGitLab, type TestGitLab } from "../gitlab.fixture.js";

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
  readonly status: number;
  readonly answer_headers: Readonly<Record<string, string>> | null;
}

const golden: { readonly scenarios: readonly { readonly scenario: string; readonly requests: readonly Recorded[] }[] } = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/golden/gitlab-runner-17.4.0.json", import.meta.url), "utf8"),
);

function recorded(scenario: string): readonly Recorded[] {
  const found = golden.scenarios.find((candidate) => candidate.scenario === scenario);
  if (found === undefined) throw new Error(`no recording of ${scenario}`);
  return found.requests;
}

interface Stage extends TestGitLab {
  readonly projectId: number;
  readonly runnerId: number;
  replay(request: Recorded): Promise<Answer>;
  /** The whole recording in order. */
  replayAll(scenario: string): Promise<readonly { readonly was: Recorded; readonly is: Answer }[]>;
  job(): Promise<Json>;
  log(): Promise<string>;
  /** What was sent of the log so far. */
  sent(): string;
}

/** A project with one job that waits, its runner, and a way to send a recorded conversation in their names. */
async function setTheStage(): Promise<Stage> {
  const world = await startTestGitLab();
  const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" });
  const runner = await world.runner(projectId);
  let job = { id: 0, token: "" };
  let lastUpdate: string | null = null;
  let info: Json;
  let sent = "";

  async function replay({ method, path, headers, body }: Recorded): Promise<Answer> {
    const token = path.endsWith("/jobs/request") ? runner.token : job.token;
    const own = (text: string) => (/^(glrt-|job-token-)/.test(text) ? token : text);
    const ownHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, own(value)]));
    const answer = await world.bare(method, path.replace("/101", `/${job.id}`), ownHeaders, ownBody(method, headers, body, token));
    if (answer.status === 201) job = answer.body;
    lastUpdate = answer.headers.get("x-gitlab-last-update") ?? lastUpdate;
    return answer;
  }

  /** Names in the recorded logs were replaced, so their lengths and checksums are made to agree with what is sent here. */
  function ownBody(method: string, headers: Readonly<Record<string, string>>, body: Json, token: string): unknown {
    if (method === "PATCH") {
      const [first = 0, last = 0] = (headers["Content-Range"] ?? "").split("-").map(Number);
      const text = String(body).padEnd(last - first + 1, ".");
      sent += text;
      return text;
    }
    if (typeof body.info === "object") info = body.info;
    const checksum = `crc32:${crc32(sent).toString(16).padStart(8, "0")}`;
    return {
      ...body,
      info,
      token,
      ...(body.last_update === undefined ? {} : { last_update: lastUpdate }),
      ...(body.output === undefined ? {} : { checksum, output: { ...body.output, checksum } }),
    };
  }

  return {
    ...world,
    projectId,
    runnerId: runner.id,
    replay,
    async replayAll(scenario) {
      const answers = [];
      for (const was of recorded(scenario)) answers.push({ was, is: await replay(was) });
      return answers;
    },
    job: async () => (await world.api("GET", `/projects/${projectId}/jobs/${job.id}`)).body,
    log: async () => (await world.api("GET", `/projects/${projectId}/jobs/${job.id}/trace`)).text,
    sent: () => sent,
  };
}

/** The same status, and the headers that the runner went by. The queue's word is opaque: it only has to be there. */
function expectAlike({ was, is }: { readonly was: Recorded; readonly is: Answer }): void {
  expect([was.method, was.path, is.status]).toEqual([was.method, was.path, was.status]);
  for (const [name, value] of Object.entries(was.answer_headers ?? {})) {
    if (name === "X-GitLab-Last-Update") expect(is.headers.get(name)).toMatch(/.+/);
    else expect([name, is.headers.get(name)]).toEqual([name, value]);
  }
  if (is.status === 201) expect(is.headers.get("content-type")).toMatch(/^application\/json\b/);
}

describe("the conversations of a real gitlab-runner", () => {
  it.each([
    ["success", { status: "success" }],
    ["failure", { status: "failed", failure_reason: "script_failure" }],
    ["long", { status: "success" }],
    ["timeout", { status: "failed", failure_reason: "job_execution_timeout" }],
    ["sigquit", { status: "success" }],
    ["sigterm", { status: "failed", failure_reason: "runner_system_failure" }],
  ])("%s is answered as it was, and ends as it did", async (scenario, end) => {
    const { replayAll, job, log, sent } = await setTheStage();
    for (const pair of await replayAll(scenario)) expectAlike(pair);
    expect(await job()).toMatchObject({ ...end, runner_manager: { system_id: "s_1234567890ab", platform: "linux" } });
    expect(await log()).toBe(sent());
  });

  it("none is answered 204 twice, the echoed revision included", async () => {
    const { replayAll, api, projectId, runnerId } = await setTheStage();
    const [job] = (await api("GET", `/projects/${projectId}/jobs`)).body;
    await api("POST", `/projects/${projectId}/jobs/${job.id}/cancel`);
    for (const pair of await replayAll("none")) expectAlike(pair);
    expect((await api("GET", `/runners/${runnerId}`)).body.status).toBe("online");
  });

  it("forbidden is answered 403 when the runner is gone", async () => {
    const { replayAll, api, runnerId } = await setTheStage();
    await api("DELETE", `/runners/${runnerId}`);
    for (const pair of await replayAll("forbidden")) expectAlike(pair);
  });

  it("pollfail gets its job after a 500 and a 429", async () => {
    const { replayAll, gitlab, job } = await setTheStage();
    const path = "^POST /api/v4/jobs/request$";
    const failing = (status: number) => ({ kind: "answer", path, status, retryAfterS: 1, times: 1 }) as const;
    gitlab.setDials({ faults: [failing(500), failing(429)] });
    for (const pair of await replayAll("pollfail")) expectAlike(pair);
    expect((await job()).status).toBe("success");
  });

  it("cancel is told to a runner that ends its job by itself with `canceling`, and nothing of the job counts any more", async () => {
    const { replay, api, projectId, job } = await setTheStage();
    const [request, firstPart, lastPart, end] = recorded("cancel");
    if (request === undefined || firstPart === undefined || lastPart === undefined || end === undefined) throw new Error("incomplete");
    expectAlike({ was: request, is: await replay(request) });
    expectAlike({ was: firstPart, is: await replay(firstPart) });
    const cancelled = await api("POST", `/projects/${projectId}/jobs/${(await job()).id}/cancel`);
    expect([cancelled.status, cancelled.body.status]).toEqual([201, "canceling"]);
    const told = await replay(lastPart);
    expect([told.status, told.headers.get("job-status"), told.headers.get("range")]).toEqual([202, "canceling", "0-955"]);
    expect((await replay(end)).status).toBe(200);
    expect((await job()).status).toBe("canceled");
  });

  it("cancel is told to any other runner with 403 and `canceled`", async () => {
    const { replay, api, projectId, job } = await setTheStage();
    const [request, firstPart, lastPart, end] = recorded("cancel");
    if (request === undefined || firstPart === undefined || lastPart === undefined || end === undefined) throw new Error("incomplete");
    await replay({ ...request, body: { ...request.body, info: { ...request.body.info, features: {} } } });
    await replay(firstPart);
    await api("POST", `/projects/${projectId}/jobs/${(await job()).id}/cancel`);
    for (const late of [lastPart, end]) {
      const told = await replay(late);
      expect([told.status, told.headers.get("job-status")]).toEqual([403, "canceled"]);
    }
    expect((await job()).status).toBe("canceled");
  });
});
