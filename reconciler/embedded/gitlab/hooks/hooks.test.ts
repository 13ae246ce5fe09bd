import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { until } from "../../../model/until.fixture.js";
import { type Json, oneJob, type Receiver, startReceiver, startTestGitLab, type TestGitLab } from "../gitlab.fixture.js";

async function withHook(settings: Readonly<Record<string, unknown>> = {}, clock?: ManualClock) {
  const world = await startTestGitLab(clock);
  const receiver = await startReceiver();
  const { projectId } = await world.push("root/demo", { "README.md": "no jobs yet\n" });
  const hook = await addHook(world, projectId, receiver, settings);
  const again = () => world.push("root/demo", { ".gitlab-ci.yml": oneJob });
  const shown = async () => (await world.api("GET", `/projects/${projectId}/hooks/${hook.id}`)).body;
  return { ...world, receiver, projectId, hook, pushJobs: again, shown };
}

const addHook = async ({ api }: TestGitLab, projectId: number, { url }: Receiver, settings: Readonly<Record<string, unknown>>) =>
  (await api("POST", `/projects/${projectId}/hooks`, { url, job_events: true, push_events: false, token: "hook secret", ...settings }))
    .body;

const statusesOf = ({ received }: Receiver, kind = "build") =>
  received
    .filter(({ body }) => body.object_kind === kind)
    .map(({ body }) => (kind === "build" ? body.build_status : body.object_attributes.status));

const gitlabTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/;
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe("webhooks of a job's way", () => {
  it("tell of created, pending, running and the end, with GitLab's headers and fields", async () => {
    const { receiver, gitlab, projectId, pushJobs, runner, bare } = await withHook({ pipeline_events: true });
    await pushJobs();
    const { id: runnerId, token } = await runner(projectId, { tag_list: ["firerunner"], description: "firerunner/me/small/vm-1" });
    const job = (await bare("POST", "/api/v4/jobs/request", {}, { token })).body;
    await bare("PUT", `/api/v4/jobs/${job.id}`, {}, { token: job.token, state: "failed", failure_reason: "script_failure", exit_code: 1 });
    await gitlab.hooksDelivered();

    expect(new Set(statusesOf(receiver))).toEqual(new Set(["created", "pending", "running", "failed"]));
    expect(new Set(statusesOf(receiver, "pipeline"))).toEqual(new Set(["pending", "running", "failed"]));
    const of = (status: string): Json => receiver.received.find(({ body }) => body.build_status === status);
    const pending = of("pending");
    expect(pending.headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": "GitLab/18.5.1",
      "x-gitlab-event": "Job Hook",
      "x-gitlab-token": "hook secret",
      "x-gitlab-instance": gitlab.url,
    });
    expect(pending.body).toMatchObject({
      object_kind: "build",
      ref: "main",
      tag: false,
      build_id: job.id,
      build_name: "unit",
      build_stage: "test",
      build_started_at: null,
      build_duration: null,
      build_failure_reason: "unknown_failure",
      retries_count: 0,
      runner: null,
      project_id: projectId,
      project_name: "Administrator / demo",
      commit: { id: pending.body.pipeline_id, author_name: "Ada", message: "Change something\n" },
      project: { path_with_namespace: "root/demo", default_branch: "main" },
      repository: { git_http_url: `${gitlab.url}/root/demo.git`, visibility_level: 0 },
      user: { username: "root" },
    });
    expect(pending.body.build_created_at).toMatch(gitlabTime);
    expect(pending.body.build_created_at_iso).toMatch(isoTime);
    expect(of("running").body.runner).toEqual({
      id: runnerId,
      description: "firerunner/me/small/vm-1",
      runner_type: "project_type",
      active: true,
      is_shared: false,
      tags: ["firerunner"],
    });
    expect(of("failed").body).toMatchObject({
      build_failure_reason: "script_failure",
      build_finished_at: expect.stringMatching(gitlabTime),
    });
    expect(JSON.stringify(of("pending").body)).not.toContain("tag_list");

    const pipeline = receiver.received.findLast(({ body }) => body.object_attributes?.status === "failed");
    expect(pipeline?.headers["x-gitlab-event"]).toBe("Pipeline Hook");
    expect(pipeline?.body).toMatchObject({
      object_attributes: {
        ref: "main",
        source: "push",
        stages: ["test"],
        protected_ref: true,
        finished_at: expect.stringMatching(gitlabTime),
      },
      builds: [{ id: job.id, name: "unit", status: "failed", failure_reason: "script_failure", runner: { id: runnerId } }],
    });
  });

  it("have keys of their own, and are signed when there is a signing token", async () => {
    const { receiver, gitlab, pushJobs, shown } = await withHook({ signing_token: `whsec_${Buffer.alloc(32, 7).toString("base64")}` });
    await pushJobs();
    await gitlab.hooksDelivered();
    const keys = receiver.received.map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(2);
    for (const { headers } of receiver.received) {
      expect(headers["webhook-id"]).toBe(headers["idempotency-key"]);
      expect(headers["webhook-signature"]).toMatch(/^v1,/);
    }
    expect(new Set(receiver.received.map(({ headers }) => headers["x-gitlab-webhook-uuid"])).size).toBe(2);
    expect(await shown()).toMatchObject({ token_present: true, signing_token_present: true, alert_status: "executable" });
    expect(JSON.stringify(await shown())).not.toMatch(/hook secret|whsec_/);
  });

  it("go only to hooks that asked for them", async () => {
    const { receiver, gitlab, projectId, api, hook, pushJobs } = await withHook({ job_events: false });
    await pushJobs();
    await gitlab.hooksDelivered();
    expect(receiver.received).toEqual([]);
    await api("PUT", `/projects/${projectId}/hooks/${hook.id}`, { job_events: true });
    await pushJobs();
    await api("POST", `/projects/${projectId}/pipeline`, { ref: "main" });
    await gitlab.hooksDelivered();
    expect(statusesOf(receiver)).toHaveLength(2);
    await api("DELETE", `/projects/${projectId}/hooks/${hook.id}`);
    await api("POST", `/projects/${projectId}/pipeline`, { ref: "main" });
    await gitlab.hooksDelivered();
    expect(statusesOf(receiver)).toHaveLength(2);
  });
});

describe("deliveries that fail", () => {
  it("are not repeated; the fourth in a row mutes the hook, and a test that is answered well wakes it up", async () => {
    const clock = new ManualClock();
    const { receiver, gitlab, api, projectId, hook, pushJobs, shown } = await withHook({}, clock);
    const start = async () => {
      await api("POST", `/projects/${projectId}/pipeline`, { ref: "main" });
      await gitlab.hooksDelivered();
    };
    receiver.answer = () => 500;
    await pushJobs();
    await gitlab.hooksDelivered();
    expect([receiver.received.length, (await shown()).alert_status]).toEqual([2, "executable"]);
    await start();
    expect(await shown()).toMatchObject({
      alert_status: "temporarily_disabled",
      disabled_until: new Date(clock.now() + 60_000).toISOString(),
    });
    await start();
    expect(receiver.received).toHaveLength(4);

    receiver.answer = () => 204;
    const test = await api("POST", `/projects/${projectId}/hooks/${hook.id}/test/job_events`);
    expect([test.status, (await shown()).alert_status]).toEqual([201, "executable"]);
    await start();
    expect(receiver.received).toHaveLength(7);
  });

  it("include those that are not answered within ten seconds, and those that nobody takes", async () => {
    const clock = new ManualClock();
    const { receiver, gitlab, projectId, api, hook, pushJobs } = await withHook({}, clock);
    receiver.answer = () => new Promise<number>(() => {});
    await pushJobs();
    await until(() => receiver.received.length === 2, "both are under way");
    await clock.advance(10_000);
    await gitlab.hooksDelivered();
    const events = () => api("GET", `/projects/${projectId}/hooks/${hook.id}/events`);
    expect((await events()).body).toMatchObject([
      { trigger: "job_hooks", response_status: "internal error", execution_duration: 10 },
      { response_status: "internal error" },
    ]);
    await api("PUT", `/projects/${projectId}/hooks/${hook.id}`, { url: "http://127.0.0.1:1/" });
    expect((await api("POST", `/projects/${projectId}/hooks/${hook.id}/test/pipeline_events`)).status).toBe(422);
  });

  it("can be sent again by hand under the same key", async () => {
    const { receiver, gitlab, projectId, api, hook, pushJobs } = await withHook();
    await pushJobs();
    await gitlab.hooksDelivered();
    const path = `/projects/${projectId}/hooks/${hook.id}/events`;
    const [event] = (await api("GET", path)).body;
    const again = await api("POST", `${path}/${event.id}/resend`);
    expect([again.status, again.body.response_status]).toEqual([201, 200]);
    const last = receiver.received.at(-1);
    expect(last?.headers["idempotency-key"]).toBe(event.request_headers["Idempotency-Key"]);
    expect(last?.body).toEqual(event.request_data);
  });
});

describe("webhooks on a bad day", () => {
  it("are lost when the dials say so", async () => {
    const { receiver, gitlab, pushJobs } = await withHook();
    gitlab.setDials({ hooks: { dropShare: 1 } });
    await pushJobs();
    await gitlab.hooksDelivered();
    expect(receiver.received).toEqual([]);
  });

  it("come twice, with keys of their own", async () => {
    const { receiver, gitlab, pushJobs } = await withHook();
    gitlab.setDials({ hooks: { duplicateShare: 1 } });
    await pushJobs();
    await gitlab.hooksDelivered();
    expect(statusesOf(receiver).sort()).toEqual(["created", "created", "pending", "pending"]);
  });

  it("come late", async () => {
    const clock = new ManualClock();
    const { receiver, gitlab, pushJobs } = await withHook({}, clock);
    gitlab.setDials({ hooks: { delayMs: 5000 } });
    await pushJobs();
    await clock.advance(4999);
    expect(receiver.received).toEqual([]);
    await clock.advance(1);
    await gitlab.hooksDelivered();
    expect(receiver.received).toHaveLength(2);
  });

  it("come in reverse order, also when a batch stays incomplete", async () => {
    const clock = new ManualClock();
    const { receiver, gitlab, pushJobs, runner, bare, projectId } = await withHook({}, clock);
    gitlab.setDials({ hooks: { reverseBatch: 2, reverseWaitMs: 1000 } });
    receiver.answer = () => 200;
    await pushJobs();
    await gitlab.hooksDelivered();
    expect(new Set(statusesOf(receiver))).toEqual(new Set(["created", "pending"]));
    await bare("POST", "/api/v4/jobs/request", {}, { token: (await runner(projectId)).token });
    expect(statusesOf(receiver)).not.toContain("running");
    await clock.advance(1000);
    await gitlab.hooksDelivered();
    expect(statusesOf(receiver)).toContain("running");
  });
});
