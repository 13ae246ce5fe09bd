import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { oneJob, startTestGitLab } from "../gitlab.fixture.js";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const slow = "unit:\n  timeout: 12 hours\n  script: [sleep 40000]\n";

/** A project with one job that waits, on a clock that stands still. */
async function withJob(file = oneJob) {
  const clock = new ManualClock();
  const world = await startTestGitLab(clock);
  const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": file });
  const job = async () => (await world.api("GET", `/projects/${projectId}/jobs?per_page=1`)).body[0];
  const shown = async (id: number) => (await world.api("GET", `/runners/${id}`)).body;
  const pause = (id: number, paused: boolean) => world.api("PUT", `/runners/${id}`, { paused });
  return { ...world, clock, projectId, job, shown, pause };
}

describe("a job that waits", () => {
  it("is failed after an hour when no runner that may take it is online", async () => {
    const { clock, job, runner, take, projectId } = await withJob();
    const { token } = await runner(projectId, { tag_list: ["other"], run_untagged: false });
    await take(token);
    await clock.advance(hour - minute);
    expect((await job()).status).toBe("pending");
    await clock.advance(2 * minute);
    expect(await job()).toMatchObject({ status: "failed", failure_reason: "stuck_or_timeout_failure", runner: null });
  });

  it("waits on while a runner for it was heard within two hours, and is failed when that is over", async () => {
    const { clock, job, runner, take, pause, projectId } = await withJob();
    const { id, token } = await runner(projectId, { paused: true });
    // It asks while it is paused, so it is heard and takes nothing.
    expect((await take(token)).status).toBe(204);
    await pause(id, false);
    await clock.advance(2 * hour - minute);
    expect((await job()).status).toBe("pending");
    await clock.advance(2 * minute);
    expect((await job()).status).toBe("failed");
  });

  it("is not helped by a runner that is paused, or that only verified its token", async () => {
    const { clock, job, runner, take, bare, projectId } = await withJob();
    await take((await runner(projectId, { paused: true })).token);
    const { token } = await runner(projectId);
    await bare("POST", "/api/v4/runners/verify", {}, { token, system_id: "s_2" });
    await clock.advance(hour + minute);
    expect((await job()).status).toBe("failed");
  });

  it("is kept alive by a runner that is paused, asks, and is set free, every 45 minutes, but not for more than a day", async () => {
    const { clock, job, runner, take, pause, projectId } = await withJob();
    const { id, token } = await runner(projectId, { paused: true });
    for (let waited = 0; waited < day - 45 * minute; waited += 45 * minute) {
      await pause(id, true);
      await take(token);
      await pause(id, false);
      await clock.advance(45 * minute);
      expect((await job()).status).toBe("pending");
    }
    await clock.advance(46 * minute);
    expect(await job()).toMatchObject({ status: "failed", failure_reason: "stuck_or_timeout_failure" });
  });
});

describe("a job that runs", () => {
  it("is failed after an hour without a word of its log", async () => {
    const { clock, job, runner, take, bare, projectId, shown } = await withJob(slow);
    const { id, token } = await runner(projectId);
    const taken = (await take(token)).body;
    const write = (from: number) =>
      bare("PATCH", `/api/v4/jobs/${taken.id}/trace`, { "job-token": taken.token, "content-range": `${from}-${from + 2}` }, "..\n");
    for (let n = 0; n < 4; n += 1) {
      await clock.advance(50 * minute);
      expect((await write(3 * n)).status).toBe(202);
    }
    // The log alone keeps its runner online.
    expect(await shown(id)).toMatchObject({ status: "online", online: true, contacted_at: new Date(clock.now()).toISOString() });
    await clock.advance(59 * minute);
    expect((await job()).status).toBe("running");
    await clock.advance(2 * minute);
    expect(await job()).toMatchObject({ status: "failed", failure_reason: "stuck_or_timeout_failure" });
    expect((await write(12)).headers.get("job-status")).toBe("failed");
  });

  it("ends as its runner says although the runner was deleted meanwhile, and not when its project was", async () => {
    const { api, job, runner, take, bare, push, projectId } = await withJob();
    const { id, token } = await runner(projectId);
    const first = (await take(token)).body;
    expect((await api("DELETE", `/runners/${id}`)).status).toBe(204);
    expect((await take(token)).status).toBe(403);
    expect(await job()).toMatchObject({ status: "running", runner: null, runner_manager: null });
    const end = ({ id: jobId, token: own }: typeof first) => bare("PUT", `/api/v4/jobs/${jobId}`, {}, { token: own, state: "success" });
    expect((await end(first)).status).toBe(200);
    expect((await job()).status).toBe("success");

    await push("root/demo", { ".gitlab-ci.yml": slow });
    const second = (await take((await runner(projectId)).token)).body;
    expect((await api("DELETE", `/projects/${projectId}`)).status).toBe(202);
    expect(await end(second)).toMatchObject({ status: 403, body: { message: "403 Forbidden - Project has been deleted!" } });
    for (const path of ["", "/jobs", `/jobs/${second.id}`, "/pipelines", "/hooks", "/runners", "/protected_branches"]) {
      expect(await api("GET", `/projects/${projectId}${path}`)).toMatchObject({ status: 404, body: { message: "404 Project Not Found" } });
    }
  });
});

describe("what is told of a runner", () => {
  it("follows its last contact: never, online, offline, stale, and paused once it was heard", async () => {
    const { clock, runner, take, pause, shown, api, projectId } = await withJob();
    const { id, token } = await runner(projectId, { tag_list: ["other"], run_untagged: false });
    const { id: silent } = await runner(projectId);
    expect(await shown(id)).toMatchObject({ status: "never_contacted", online: false, contacted_at: null });
    await take(token, { info: { version: "18.5.0", platform: "linux", architecture: "amd64" } });
    expect(await shown(id)).toMatchObject({ status: "online", online: true, version: "18.5.0" });
    await pause(id, true);
    expect(await shown(id)).toMatchObject({ status: "paused", online: true });
    await pause(id, false);
    await clock.advance(2 * hour);
    expect(await shown(id)).toMatchObject({ status: "offline", online: false });
    const [manager] = (await api("GET", `/runners/${id}/managers`)).body;
    expect(manager).toMatchObject({ system_id: "s_1", status: "offline", version: "18.5.0", platform: "linux" });
    await clock.advance(7 * day);
    expect([(await shown(id)).status, (await shown(silent)).status]).toEqual(["stale", "stale"]);
    expect((await api("GET", "/runners?status=stale")).body).toHaveLength(2);
    expect((await api("GET", "/runners?status=online")).body).toEqual([]);
  });
});
