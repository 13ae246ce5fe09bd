import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { type Json, oneJob, startReceiver, startTestGitLab } from "../gitlab.fixture.js";

/** A project in a group within a group, and someone who listens. */
async function deepProject(clock?: ManualClock) {
  const world = await startTestGitLab(clock);
  const top = await world.settle.group("top");
  const inner = await world.settle.group("inner", top);
  const { projectId } = await world.push("top/inner/demo", { "README.md": "no jobs yet\n" });
  const receiver = await startReceiver();
  const addHook = async (path: string, settings: Json = {}) =>
    (await world.api("POST", `${path}/hooks`, { url: receiver.url, job_events: true, push_events: false, ...settings })).body;
  const pushJobs = async (path = "top/inner/demo") => {
    await world.push(path, { ".gitlab-ci.yml": oneJob });
    await world.gitlab.hooksDelivered();
  };
  return { ...world, top, inner, projectId, receiver, addHook, pushJobs };
}

describe("group hooks", () => {
  it("fire beside the project's own: two deliveries of the same body, each with a key of its own", async () => {
    const { receiver, addHook, pushJobs, projectId, top } = await deepProject();
    await addHook(`/projects/${projectId}`);
    expect(await addHook(`/groups/${top}`)).toMatchObject({ group_id: top, job_events: true, alert_status: "executable" });
    await pushJobs();
    const pending = receiver.received.filter(({ body }) => body.build_status === "pending");
    expect(pending).toHaveLength(2);
    expect(pending[0]?.text).toBe(pending[1]?.text);
    expect(new Set(pending.map(({ headers }) => headers["idempotency-key"])).size).toBe(2);
  });

  it("fire for every project below the group, and for no other", async () => {
    const { receiver, addHook, pushJobs, inner, settle } = await deepProject();
    await settle.group("apart");
    await addHook(`/groups/${inner}`);
    await pushJobs("apart/demo");
    expect(receiver.received).toEqual([]);
    await pushJobs("top/inner/other");
    expect(receiver.received.map(({ body }) => body.project.path_with_namespace)).toEqual(["top/inner/other", "top/inner/other"]);
  });

  it("are kept, tested and listed like a project's, each in its own place", async () => {
    const { api, receiver, addHook, pushJobs, top, inner, projectId } = await deepProject();
    const hook = await addHook(`/groups/${top}`, { job_events: false });
    await pushJobs();
    expect(receiver.received).toEqual([]);
    expect((await api("POST", `/groups/${top}/hooks/${hook.id}/test/job_events`)).status).toBe(201);
    expect(receiver.received).toMatchObject([{ body: { object_kind: "build", project_id: projectId } }]);
    expect((await api("GET", `/groups/${inner}/hooks/${hook.id}`)).status).toBe(404);
    expect((await api("GET", `/projects/${projectId}/hooks/${hook.id}`)).status).toBe(404);
    expect((await api("GET", `/groups/${top}/hooks/${hook.id}/events`)).body).toHaveLength(1);
    expect((await api("DELETE", `/groups/${top}/hooks/${hook.id}`)).status).toBe(204);
    expect((await api("GET", `/groups/${top}/hooks`)).body).toEqual([]);
  });

  it("are not there where they are not part of the plan", async () => {
    const { api, gitlab, top } = await deepProject();
    gitlab.setDials({ groupHooks: false });
    expect((await api("GET", `/groups/${top}/hooks`)).status).toBe(404);
    expect((await api("POST", `/groups/${top}/hooks`, { url: "http://127.0.0.1:1/" })).status).toBe(404);
  });

  it("share their namespace's limit a minute: what is more is dropped without a word", async () => {
    const clock = new ManualClock();
    const { receiver, addHook, pushJobs, gitlab, top } = await deepProject(clock);
    const hook = await addHook(`/groups/${top}`);
    gitlab.setDials({ hooks: { callsPerMinute: 1 } });
    await pushJobs();
    expect(receiver.received).toHaveLength(1);
    await clock.advance(60_000);
    await pushJobs("top/inner/other");
    expect(receiver.received).toHaveLength(2);
    expect(hook.alert_status).toBe("executable");
  });
});

describe("system hooks", () => {
  it("tell of projects, never of jobs, and are for administrators alone", async () => {
    const { api, as, receiver, addHook, pushJobs, settle, gitlab } = await deepProject();
    const hook = await addHook("", { pipeline_events: true });
    expect(hook).toMatchObject({ organization_id: 1 });
    expect(hook).not.toHaveProperty("job_events");
    await pushJobs();
    expect(receiver.received).toEqual([]);
    const made = await settle.project("fresh");
    await api("DELETE", `/projects/${made}`);
    await gitlab.hooksDelivered();
    const told = receiver.received.map(({ headers, body }) => [headers["x-gitlab-event"], body.event_name, body.project_id]);
    expect(told).toEqual(
      expect.arrayContaining([
        ["System Hook", "project_create", made],
        ["System Hook", "project_destroy", made],
      ]),
    );
    expect(told).toHaveLength(2);
    expect((await as(await settle.userToken(["api"]), "GET", "/hooks")).status).toBe(403);
  });
});
