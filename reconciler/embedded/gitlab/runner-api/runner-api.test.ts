import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { until } from "../../../model/until.fixture.js";
import { type Json, startTestGitLab, type TestGitLab } from "../gitlab.fixture.js";

const request = ({ bare }: TestGitLab, token: string, body: Readonly<Record<string, unknown>> = {}) =>
  bare("POST", "/api/v4/jobs/request", {}, { token, system_id: "s_1", ...body });

const trace = ({ bare }: TestGitLab, job: Json, first: number, text: string) =>
  bare(
    "PATCH",
    `/api/v4/jobs/${job.id}/trace`,
    { "job-token": job.token, "content-type": "text/plain", "content-range": `${first}-${first + text.length - 1}` },
    text,
  );

const update = ({ bare }: TestGitLab, job: Json, body: Readonly<Record<string, unknown>>) =>
  bare("PUT", `/api/v4/jobs/${job.id}`, {}, { token: job.token, ...body });

const outputOf = (text: string) => ({ checksum: `crc32:${crc32(text).toString(16).padStart(8, "0")}`, bytesize: text.length });

const tagged = `
small:
  tags: [firerunner]
  script: [echo small]
large:
  tags: [firerunner, large]
  script: [echo large]
plain:
  script: [echo plain]
`;

describe("jobs/request", () => {
  it("hands out the jobs whose tags the runner has, oldest first, and untagged ones only to who takes them", async () => {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": tagged });
    const names = async (settings: Readonly<Record<string, unknown>>) => {
      const { token } = await world.runner(projectId, settings);
      const taken: string[] = [];
      for (;;) {
        const answer = await request(world, token);
        if (answer.status !== 201) return [...taken, answer.status];
        taken.push(answer.body.job_info.name);
      }
    };
    expect(await names({ tag_list: ["firerunner"], run_untagged: false })).toEqual(["small", 204]);
    expect(await names({ tag_list: ["large"], run_untagged: false })).toEqual([204]);
    expect(await names({ tag_list: ["firerunner", "large", "gpu"], run_untagged: true })).toEqual(["large", "plain", 204]);
  });

  it("keeps runners to their project, their group and protected refs", async () => {
    const world = await startTestGitLab();
    const group = (await world.api("POST", "/groups", { name: "Team", path: "team" })).body;
    const file = { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" };
    await world.push("root/demo", file, { branch: "main" });
    const other = await world.push("root/other", { "README.md": "no jobs\n" });
    const inTeam = await world.push("team/demo", file);
    const ask = async (settings: Readonly<Record<string, unknown>>) =>
      (await request(world, (await world.api("POST", "/user/runners", settings)).body.token)).status;

    expect(await ask({ runner_type: "project_type", project_id: other.projectId })).toBe(204);
    expect(await ask({ runner_type: "group_type", group_id: group.id })).toBe(201);
    expect(await ask({ runner_type: "group_type", group_id: group.id })).toBe(204);
    await world.push("team/demo", file, { branch: "topic" });
    expect(await ask({ runner_type: "project_type", project_id: inTeam.projectId, access_level: "ref_protected" })).toBe(204);
    expect(await ask({ runner_type: "instance_type", access_level: "ref_protected" })).toBe(201);
    expect(await ask({ runner_type: "instance_type" })).toBe(201);
  });

  it("hands nothing to a paused runner, but notes that it was there", async () => {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": tagged });
    const runner = await world.runner(projectId, { tag_list: ["firerunner"], paused: true });
    const before = (await world.api("GET", `/runners/${runner.id}`)).body;
    expect(before).toMatchObject({ paused: true, status: "never_contacted", contacted_at: null });
    const answer = await request(world, runner.token);
    expect([answer.status, answer.headers.get("x-gitlab-last-update")]).toEqual([204, expect.stringMatching(/.+/)]);
    expect((await world.api("GET", `/runners/${runner.id}`)).body).toMatchObject({ status: "paused", online: true, active: false });
    await world.api("PUT", `/runners/${runner.id}`, { paused: false });
    const echoed = { last_update: answer.headers.get("x-gitlab-last-update") };
    expect((await request(world, runner.token, echoed)).status).toBe(201);
  });

  it("looks again after every change, however often nothing was there", async () => {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { "README.md": "no jobs yet\n" });
    const { token } = await world.runner(projectId);
    const first = (await request(world, token)).headers.get("x-gitlab-last-update");
    const second = (await request(world, token, { last_update: first })).headers.get("x-gitlab-last-update");
    expect(second).toBe(first);
    await world.push("root/demo", { ".gitlab-ci.yml": "a:\n  script: [a]\nb:\n  script: [b]\n" });
    const taken = await request(world, token, { last_update: second });
    expect(taken.body.job_info.name).toBe("a");
    // A runner that echoes what came with a job must still find the other one.
    expect((await request(world, token, { last_update: taken.headers.get("x-gitlab-last-update") })).body.job_info.name).toBe("b");
  });

  it("holds the request until there is a job, when long polling is on", async () => {
    const world = await startTestGitLab();
    world.gitlab.setDials({ longPollMs: 60_000 });
    const { projectId } = await world.push("root/demo", { "README.md": "no jobs yet\n" });
    const { token, id } = await world.runner(projectId);
    const waiting = request(world, token);
    await until(async () => (await world.api("GET", `/runners/${id}`)).body.status === "online", "the request is held");
    await world.push("root/demo", { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" });
    expect((await waiting).status).toBe(201);
  });

  it("lets go of held requests when their time is over, their runner is paused or deleted, or everything stops", async () => {
    const clock = new ManualClock();
    const world = await startTestGitLab(clock);
    world.gitlab.setDials({ longPollMs: 50_000 });
    const { projectId } = await world.push("root/demo", { "README.md": "no jobs\n" });
    const held = async () => {
      const runner = await world.runner(projectId);
      const waiting = request(world, runner.token).then(
        (answer) => answer.status,
        () => "cut",
      );
      await until(async () => (await world.api("GET", `/runners/${runner.id}`)).body.status === "online", "the request is held");
      return { runner, waiting };
    };
    const late = await held();
    await clock.advance(50_000);
    expect(await late.waiting).toBe(204);
    const paused = await held();
    await world.api("PUT", `/runners/${paused.runner.id}`, { paused: true });
    expect(await paused.waiting).toBe(204);
    const deleted = await held();
    await world.api("DELETE", `/runners/${deleted.runner.id}`);
    expect(await deleted.waiting).toBe(403);
    const last = await held();
    await world.gitlab.stop();
    expect([204, "cut"]).toContain(await last.waiting);
  });

  it("takes the token from the body and from the headers of every version", async () => {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { "README.md": "no jobs\n" });
    const { token } = await world.runner(projectId);
    for (const name of ["private-token", "runner-token"]) {
      expect((await world.bare("POST", "/api/v4/jobs/request", { [name]: token }, {})).status).toBe(204);
    }
    expect((await world.bare("POST", "/api/v4/jobs/request", {}, { token: "glrt-wrong" })).status).toBe(403);
    expect((await world.bare("POST", "/api/v4/jobs/request", {}, {})).status).toBe(403);
  });

  it("gives a job everything that its runner needs", async () => {
    const world = await startTestGitLab();
    const text = `
variables: { TEAM: platform, SHADOWED: file }
unit:
  tags: [firerunner]
  timeout: 20 minutes
  before_script: [echo before]
  script: [echo one, echo two]
  after_script: [echo after]
`;
    await world.api("POST", "/projects", { path: "demo" });
    await world.api("POST", "/projects/1/variables", { key: "SECRET", value: "hidden-value", masked: true });
    await world.api("POST", "/projects/1/variables", { key: "SHADOWED", value: "settings" });
    const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": text });
    const runner = await world.runner(projectId, {
      tag_list: ["firerunner"],
      maximum_timeout: 900,
      description: "firerunner/me/small/vm-1",
    });
    const job = (await request(world, runner.token)).body;

    expect(job).toMatchObject({
      allow_git_fetch: true,
      job_info: { name: "unit", stage: "test", project_id: projectId, project_name: "demo", project_full_path: "root/demo" },
      git_info: { ref: "main", ref_type: "branch", before_sha: "0".repeat(40), protected: true },
      runner_info: { timeout: 900 },
      steps: [
        { name: "script", script: ["echo before", "echo one", "echo two"], when: "on_success", allow_failure: false, timeout: 900 },
        { name: "after_script", script: ["echo after"], when: "always", allow_failure: true },
      ],
      image: null,
      services: [],
      features: { trace_sections: true, failure_reasons: expect.arrayContaining(["runner_system_failure"]) },
    });
    const value = (key: string) => job.variables.find((variable: Json) => variable.key === key);
    expect(value("SECRET")).toEqual({ key: "SECRET", value: "hidden-value", public: false, file: false, masked: true, raw: false });
    expect(value("CI_JOB_TOKEN")).toMatchObject({ value: job.token, masked: true, public: false });
    expect(value("TEAM")).toMatchObject({ value: "platform", public: true });
    expect(value("SHADOWED").value).toBe("settings");
    expect(value("CI_JOB_ID").value).toBe(String(job.id));
    expect(value("CI_COMMIT_BRANCH").value).toBe("main");
    expect(value("CI_PROJECT_PATH").value).toBe("root/demo");
    expect(value("CI_SERVER_URL").value).toBe(world.gitlab.url);
    expect(value("CI_RUNNER_DESCRIPTION").value).toBe("firerunner/me/small/vm-1");
    const keys = job.variables.map((variable: Json) => variable.key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("the log", () => {
  async function running() {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" });
    const { token } = await world.runner(projectId);
    return { world, projectId, job: (await request(world, token)).body };
  }

  it("grows only at its end, and says where that is", async () => {
    const { world, job, projectId } = await running();
    expect((await trace(world, job, 0, "first ")).headers.get("range")).toBe("0-6");
    const misplaced = await trace(world, job, 3, "second");
    expect([misplaced.status, misplaced.headers.get("range")]).toEqual([416, "0-6"]);
    const next = await trace(world, job, 6, "second");
    expect([next.status, next.headers.get("range"), next.headers.get("job-status")]).toEqual([202, "0-12", "running"]);
    const shown = await world.api("GET", `/projects/${projectId}/jobs/${job.id}/trace`);
    expect([shown.status, shown.text, shown.headers.get("content-type")]).toEqual([200, "first second", "text/plain; charset=utf-8"]);
  });

  it("is asked for again when another one arrived than the runner wrote, and taken as it is in the end", async () => {
    const { world, job } = await running();
    await trace(world, job, 0, "helo");
    const end = { state: "success", output: outputOf("hello") };
    expect((await update(world, job, end)).status).toBe(412);
    expect((await trace(world, job, 0, "hello")).status).toBe(202);
    expect((await update(world, job, end)).status).toBe(200);
  });

  it("of a runner that cannot count is taken after two refusals", async () => {
    const { world, job } = await running();
    const end = { state: "success", output: { checksum: "crc32:00000001", bytesize: 3 } };
    expect([
      (await update(world, job, end)).status,
      (await update(world, job, end)).status,
      (await update(world, job, end)).status,
    ]).toEqual([412, 412, 200]);
  });

  it("that grows beyond every bound fails its job", async () => {
    const { world, job, projectId } = await running();
    const piece = "x".repeat(1_000_000);
    for (let n = 0; n < 4; n += 1) expect((await trace(world, job, n * piece.length, piece)).status).toBe(202);
    const last = await trace(world, job, 4 * piece.length, piece);
    expect([last.status, last.headers.get("job-status")]).toEqual([403, "failed"]);
    expect((await world.api("GET", `/projects/${projectId}/jobs/${job.id}`)).body.failure_reason).toBe("trace_size_exceeded");
  });

  it("needs a range, the job's own token and a job that is known", async () => {
    const { world, job } = await running();
    const path = `/api/v4/jobs/${job.id}/trace`;
    const type = { "content-type": "text/plain" };
    expect((await world.bare("PATCH", path, { ...type, "job-token": job.token }, "x")).status).toBe(400);
    expect((await world.bare("PATCH", path, { ...type, "job-token": "wrong", "content-range": "0-0" }, "x")).status).toBe(403);
    expect((await trace(world, { ...job, id: 999 }, 0, "x")).status).toBe(404);
  });
});

describe("the end of a job", () => {
  it("comes with the runner's word; until then it is kept alive by hearing from it", async () => {
    const clock = new ManualClock();
    const world = await startTestGitLab(clock);
    world.gitlab.setDials({ patience: { silentMs: 60_000 } });
    const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" });
    const { token } = await world.runner(projectId);
    const job = (await request(world, token)).body;
    const status = async () => (await world.api("GET", `/projects/${projectId}/jobs/${job.id}`)).body;
    await clock.advance(45_000);
    const alive = await update(world, job, { state: "running" });
    expect([alive.status, alive.headers.get("job-status"), alive.headers.get("x-gitlab-trace-update-interval")]).toEqual([
      200,
      "running",
      "3",
    ]);
    await clock.advance(45_000);
    expect((await status()).status).toBe("running");
    await clock.advance(60_000);
    expect(await status()).toMatchObject({ status: "failed", failure_reason: "stuck_or_timeout_failure" });
    const late = await update(world, job, { state: "success" });
    expect([late.status, late.headers.get("job-status")]).toEqual([403, "failed"]);
  });

  it("with a reason that nobody knows is an unknown failure, and with an odd state refused", async () => {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" });
    const job = (await request(world, (await world.runner(projectId)).token)).body;
    expect((await update(world, job, { state: "tired" })).status).toBe(400);
    await update(world, job, { state: "failed", failure_reason: "gremlins", exit_code: 3 });
    expect((await world.api("GET", `/projects/${projectId}/jobs/${job.id}`)).body).toMatchObject({ failure_reason: "unknown_failure" });
  });
});

describe("what a runner does with its own token", () => {
  it("verifies it, renews it, forgets a manager and deletes itself", async () => {
    const world = await startTestGitLab();
    const { projectId } = await world.push("root/demo", { "README.md": "no jobs\n" });
    const { id, token } = await world.runner(projectId);
    const verified = await world.bare("POST", "/api/v4/runners/verify", {}, { token, system_id: "r_1", info: { version: "18.5.0" } });
    expect([verified.status, verified.body]).toEqual([200, { id, token, token_expires_at: null }]);
    // Verifying alone does not make it online.
    expect((await world.api("GET", `/runners/${id}`)).body).toMatchObject({ status: "never_contacted", version: "18.5.0" });
    expect((await world.api("GET", `/runners/${id}/managers`)).body).toMatchObject([
      { system_id: "r_1", status: "never_contacted", contacted_at: null },
    ]);

    const renewed = (await world.bare("POST", "/api/v4/runners/reset_authentication_token", {}, { token })).body.token;
    expect((await request(world, token)).status).toBe(403);
    const managers = (systemId: string) => world.bare("DELETE", "/api/v4/runners/managers", {}, { token: renewed, system_id: systemId });
    expect([(await managers("r_1")).status, (await managers("r_1")).status]).toEqual([204, 404]);
    expect((await world.bare("DELETE", `/api/v4/runners?token=${renewed}`)).status).toBe(204);
    expect((await world.bare("DELETE", "/api/v4/runners", {}, { token: renewed })).status).toBe(403);
    expect((await world.api("GET", `/runners/${id}`)).status).toBe(404);
  });
});
