import { describe, expect, it } from "vitest";
import { aRunner, startWorld, token } from "./gitlab-server.fixture.js";

const runnerToken = "glrt-t1_presence";
const unknown = { status: 403, json: { message: "403 Forbidden" } };

describe("showing that a runner is there", () => {
  it("asks for a job with the runner's own token, and never with the connection's", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /jobs/request", { status: 204, headers: { "x-gitlab-last-update": "abc" } });
    expect(await forge.showRunner(connection(), runnerToken)).toEqual({ state: "heard" });
    expect(gitlab.seen).toHaveLength(1);
    expect(gitlab.seen[0]?.body).toMatchObject({ token: runnerToken, system_id: expect.stringMatching(/^r_[0-9a-zA-Z]{12}$/) });
    // Without it GitLab's front does not hold the request until there is a job.
    expect(gitlab.seen[0]?.body).not.toHaveProperty("last_update");
    expect(JSON.stringify(gitlab.seen)).not.toContain(token);
  });

  it("is told when the forge does not know the runner", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /jobs/request", unknown);
    expect(await forge.showRunner(connection(), runnerToken)).toEqual({ state: "absent" });
  });

  it("fails a job that it is given all the same, through the job's own token", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /jobs/request", { status: 201, json: { id: 41, token: "glcbt-job", job_info: {} } });
    gitlab.script("PUT /jobs/41", { status: 200, json: 200 });
    expect(await forge.showRunner(connection(), runnerToken)).toEqual({ state: "given", jobId: 41, ended: true });
    expect(gitlab.seen[1]).toMatchObject({
      path: "/jobs/41",
      body: { token: "glcbt-job", state: "failed", failure_reason: "runner_system_failure" },
    });
  });

  it("says when the job could not be failed", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /jobs/request", { status: 201, json: { id: 41, token: "glcbt-job" } });
    gitlab.script("PUT /jobs/41", unknown);
    expect(await forge.showRunner(connection(), runnerToken)).toEqual({ state: "given", jobId: 41, ended: false });
  });

  it("tells no token in what it refuses", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /jobs/request", { status: 201, json: { token: "glcbt-secret" } }, { status: 400, json: { message: runnerToken } });
    for (const code of ["FR-FORGE-REJECTED", "FR-FORGE-REJECTED"]) {
      const refusal = await forge.showRunner(connection(), runnerToken).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code });
      expect(JSON.stringify([refusal, String(refusal)])).not.toMatch(/secret|t1_presence/);
    }
  });
});

it("lets a runner take jobs again, and says when it is gone", async () => {
  const { gitlab, forge, connection } = await startWorld();
  gitlab.script("PUT /runners/5", { json: aRunner(5, "x") });
  expect(await forge.unpauseRunner(connection(), 5)).toBe("unpaused");
  expect(gitlab.seen[0]?.body).toEqual({ paused: false });
  expect(await forge.unpauseRunner(connection(), 6)).toBe("absent");
});

it("reads one runner, which may be gone, or out of the connection's scope", async () => {
  const { gitlab, forge, connection } = await startWorld();
  gitlab.script("GET /runners/5", { json: aRunner(5, "x", true) });
  gitlab.script("GET /runners/7", unknown);
  gitlab.script("GET /projects/380/runners", { json: [aRunner(5, "x")] });
  expect(await forge.readRunner(connection(), 5)).toEqual({ runnerId: 5, description: "x", paused: true });
  expect(await forge.readRunner(connection(), 6)).toBeUndefined();
  expect(await forge.readRunner(connection(), 7)).toBeUndefined();
});
