import { expect, it } from "vitest";
import { oneJob, startReceiver } from "../../reconciler/embedded/gitlab/gitlab.fixture.js";
import { describeWith } from "./clients.fixture.js";
import { idsOf, startPythonWorld } from "./python.fixture.js";

/** Two stages, so that jobs of each kind stand beside each other. */
const pipeline = `
stages: [build, test]
compile: {stage: build, tags: [linux, big], script: [make]}
lint: {stage: build, script: [make lint]}
unit: {stage: test, script: [make test]}
`;
const files = { ".gitlab-ci.yml": pipeline };

describeWith("python", "python-gitlab and the embedded GitLab agree on", () => {
  it("who asks, and of which version", async () => {
    const { python } = await startPythonWorld();
    expect(await python("whoAmI")).toMatchObject({ username: "root", is_admin: true });
    const [version, revision] = await python("version");
    expect([version, revision]).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+/), expect.stringMatching(/./)]);
  });

  it("runners, and both see what the product's adapter does with them", async () => {
    const { python, refused, push, forge, connection } = await startPythonWorld();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    const own = connection({ projectId });
    const made = await python("createRunner", {
      ...{ runner_type: "project_type", project_id: projectId, description: "firerunner/dev/small/vm-1" },
      ...{ tag_list: ["linux", "small"], run_untagged: false, locked: true, maximum_timeout: 900 },
    });
    expect(made).toEqual({ id: expect.any(Number), token: expect.stringMatching(/^glrt-/), token_expires_at: null });
    expect(await python("runner", { runner_id: made.id })).toMatchObject({
      ...{ description: "firerunner/dev/small/vm-1", runner_type: "project_type", paused: false, active: true, status: "never_contacted" },
      ...{ tag_list: ["linux", "small"], run_untagged: false, locked: true, maximum_timeout: 900, projects: [{ id: projectId }] },
    });
    expect(await python("verifyRunner", { token: made.token })).toBeNull();
    expect(await forge.findRunners(own, "firerunner/dev/")).toEqual([
      { runnerId: made.id, description: "firerunner/dev/small/vm-1", paused: false },
    ]);

    expect(await forge.pauseRunner(own, made.id)).toBe("paused");
    expect(await python("runner", { runner_id: made.id })).toMatchObject({ paused: true, active: false });
    await python("editRunner", { runner_id: made.id, paused: false, tag_list: ["linux"] });
    expect(await python("runner", { runner_id: made.id })).toMatchObject({ paused: false, tag_list: ["linux"], locked: true });
    await python("editRunner", { runner_id: made.id, active: false });
    expect(await forge.findRunners(own, "firerunner/dev/small/")).toMatchObject([{ paused: true }]);
    await python("editRunner", { runner_id: made.id, active: true });

    const other = await forge.makeRunner(own, {
      description: "firerunner/dev/big/vm-2",
      tags: ["big"],
      runUntagged: true,
      maxJobTimeoutS: 3600,
    });
    const ids = async (query: object) => idsOf(await python("projectRunners", { project_id: projectId, ...query }));
    expect(await ids({})).toEqual([other.runnerId, made.id]);
    expect(await ids({ per_page: 1 })).toEqual([other.runnerId, made.id]);
    expect(await ids({ tag_list: ["big"] })).toEqual([other.runnerId]);
    await python("editRunner", { runner_id: other.runnerId, paused: true });
    expect(await ids({ paused: true })).toEqual([other.runnerId]);
    expect(await forge.findRunners(own, "firerunner/dev/big/")).toMatchObject([{ paused: true }]);
    expect(idsOf(await python("runners"))).toEqual([other.runnerId, made.id]);

    await python("deleteRunner", { runner_id: other.runnerId });
    expect(await forge.pauseRunner(own, other.runnerId)).toBe("absent");
    expect(await forge.deleteRunner(own, made.id)).toBe("deleted");
    expect((await refused("runner", { runner_id: made.id }))[0]).toBe(404);
    expect((await refused("verifyRunner", { token: made.token }))[0]).toBe(403);
    const untagged = { runner_type: "project_type", project_id: projectId, run_untagged: false };
    expect(await refused("createRunner", untagged)).toEqual([400, expect.stringContaining("not allowed to pick untagged jobs")]);
  });

  it("jobs, before and while they run, cancelled and repeated", async () => {
    const { python, refused, push, forge, connection, runner, bare } = await startPythonWorld();
    const { projectId } = await push("root/demo", files);
    const own = connection({ projectId });
    const pending = await python("jobs", { project_id: projectId, scope: ["pending"] });
    const active = (await forge.activeJobs(own)).jobs;
    const asPython = ({ jobId, name, tags, status }: (typeof active)[number]) => ({ id: jobId, name, tag_list: tags, status });
    const byId = (a: { readonly id: number }, b: { readonly id: number }) => a.id - b.id;
    expect(pending.map(({ name }: { name: string }) => name).sort()).toEqual(["compile", "lint"]);
    expect(pending.toSorted(byId)).toMatchObject(
      active
        .filter(({ status }) => status === "pending")
        .map(asPython)
        .sort(byId),
    );
    const paged = await python("jobs", { project_id: projectId, pagination: "keyset", order_by: "id", sort: "desc", per_page: 1 });
    expect(idsOf(paged)).toEqual([...new Set(idsOf(paged))].sort((a, b) => b - a));
    expect(paged).toHaveLength(3);
    expect((await refused("jobs", { project_id: projectId, scope: ["waiting"] }))[0]).toBe(400);

    const { id: runnerId, token } = await runner(projectId);
    const handed = (await bare("POST", "/api/v4/jobs/request", {}, { token, system_id: "r_0123456789ab" })).body;
    await bare(
      "PATCH",
      `/api/v4/jobs/${handed.id}/trace`,
      { "job-token": handed.token, "content-type": "text/plain", "content-range": "0-5" },
      "hello\n",
    );
    const job = { project_id: projectId, job_id: handed.id };
    const running = await python("job", job);
    expect(running).toMatchObject({
      name: "lint",
      status: "running",
      runner: { id: runnerId },
      runner_manager: { system_id: "r_0123456789ab" },
    });
    expect(await forge.readJob(own, projectId, handed.id)).toMatchObject({
      ...{ name: running.name, status: running.status, runnerId: running.runner.id, pipelineId: running.pipeline.id },
      ...{ createdAt: Date.parse(running.created_at), startedAt: Date.parse(running.started_at), finishedAt: undefined },
    });
    expect(await python("trace", job)).toBe("hello\n");
    expect(await forge.jobLog(own, projectId, handed.id)).toBe("hello\n");
    expect(await python("runnerJobs", { runner_id: runnerId, status: "running" })).toMatchObject([
      { id: handed.id, project: { id: projectId } },
    ]);
    expect((await python("runnerJobs", { runner_id: runnerId }))[0]).not.toHaveProperty("tag_list");
    expect((await forge.runningJobs(own, runnerId)).map(({ jobId }) => jobId)).toEqual([handed.id]);
    expect((await refused("retryJob", job))[0]).toBe(403);

    expect(await python("cancelJob", job)).toMatchObject({ id: handed.id, status: "canceled" });
    expect(await forge.readJob(own, projectId, handed.id)).toMatchObject({ status: "canceled" });
    expect(await forge.runningJobs(own, runnerId)).toEqual([]);
    expect(await python("runnerJobs", { runner_id: runnerId, status: "canceled" })).toMatchObject([{ id: handed.id }]);
    expect(await python("cancelJob", job)).toMatchObject({ id: handed.id, status: "canceled" });
    const again = await python("retryJob", job);
    expect(again).toMatchObject({ name: "lint", status: "pending", runner: null });
    expect(again.id).toBeGreaterThan(handed.id);
    expect((await forge.activeJobs(own)).jobs.map(({ jobId }) => jobId)).toContain(again.id);
    expect((await refused("job", { project_id: projectId, job_id: 9_999_999 }))[0]).toBe(404);
  });

  it("pipelines and their jobs", async () => {
    const { python, refused, push } = await startPythonWorld();
    const { projectId } = await push("root/demo", files);
    const ofProject = { project_id: projectId };
    const [first] = await python("pipelines", ofProject);
    expect(first).toMatchObject({ status: "pending", ref: "main", source: "push", project_id: projectId });
    const jobsOf = async (pipelineId: number, query: object = {}) =>
      (await python("pipelineJobs", { ...ofProject, pipeline_id: pipelineId, ...query })).map(({ name }: { name: string }) => name).sort();
    expect(await jobsOf(first.id)).toEqual(["compile", "lint", "unit"]);
    expect(await jobsOf(first.id, { scope: ["created"] })).toEqual(["unit"]);

    const made = await python("createPipeline", { ...ofProject, ref: "main", variables: [{ key: "LEVEL", value: "3" }] });
    expect(made).toMatchObject({ ref: "main", source: "api", sha: first.sha });
    expect(idsOf(await python("pipelines", ofProject))).toEqual([made.id, first.id]);
    expect((await python("cancelPipeline", { ...ofProject, pipeline_id: made.id })).id).toBe(made.id);
    expect(await python("pipeline", { ...ofProject, pipeline_id: made.id })).toMatchObject({ status: "canceled" });
    expect(await jobsOf(made.id, { scope: ["canceled"] })).toEqual(["compile", "lint", "unit"]);
    expect((await python("retryPipeline", { ...ofProject, pipeline_id: made.id })).id).toBe(made.id);
    expect(await python("pipelines", { ...ofProject, status: "pending" })).toHaveLength(2);
    expect(await jobsOf(made.id, { include_retried: true })).toHaveLength(6);
    expect((await refused("createPipeline", { ...ofProject, ref: "no-such-branch" }))[0]).toBe(400);
  });

  it("webhooks, and both see what the product's adapter does with them", async () => {
    const { python, refused, push, forge, connection } = await startPythonWorld();
    const { projectId } = await push("root/demo", files);
    const receiver = await startReceiver();
    const ofProject = { project_id: projectId };
    const settings = { url: receiver.url, job_events: true, pipeline_events: true, push_events: false, enable_ssl_verification: false };
    const made = await python("createHook", { ...ofProject, ...settings, token: "not-a-real-secret" });
    expect(made).toMatchObject({ ...settings, project_id: projectId, alert_status: "executable", disabled_until: null });
    expect(made).not.toHaveProperty("token");
    const hook = { ...ofProject, hook_id: made.id };
    expect(await python("hook", hook)).toEqual(made);
    expect(await python("hooks", ofProject)).toEqual([made]);

    await python("testHook", { ...hook, trigger: "job_events" });
    expect(receiver.received).toMatchObject([
      {
        headers: { "x-gitlab-event": "Job Hook", "x-gitlab-token": "not-a-real-secret" },
        body: { object_kind: "build", project_id: projectId },
      },
    ]);
    expect((await refused("testHook", { ...hook, trigger: "no_events" }))[0]).toBe(400);
    receiver.answer = () => 500;
    expect((await refused("testHook", { ...hook, trigger: "job_events" }))[0]).toBe(422);

    expect(await python("editHook", { ...hook, job_events: false })).toMatchObject({
      id: made.id,
      job_events: false,
      pipeline_events: true,
    });
    expect(await forge.ensureWebhook(connection({ projectId }), receiver.url)).toEqual({ state: "changed" });
    expect(await python("hook", hook)).toMatchObject({ job_events: true, pipeline_events: true, push_events: false });

    const url = "http://127.0.0.1:9/webhooks/gitlab/embedded";
    expect(await forge.ensureWebhook(connection({ projectId }), url)).toEqual({ state: "made" });
    const found = (await python("hooks", ofProject)).find((each: { url: string }) => each.url === url);
    expect(found).toMatchObject({ job_events: true, pipeline_events: true, push_events: false });
    expect((await refused("testHook", { ...ofProject, hook_id: found.id, trigger: "job_events" }))[0]).toBe(422);
    await python("deleteHook", { ...ofProject, hook_id: found.id });
    expect((await refused("hook", { ...ofProject, hook_id: found.id }))[0]).toBe(404);
    expect(await forge.ensureWebhook(connection({ projectId }), url)).toEqual({ state: "made" });
    expect(await refused("createHook", { ...ofProject, url: "not an address" })).toEqual([422, "Invalid url given"]);
  });
});
