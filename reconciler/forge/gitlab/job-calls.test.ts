import { describe, expect, it } from "vitest";
import { aJob, startWorld, token } from "./gitlab-server.fixture.js";

const path = "/projects/380/jobs/41977";

describe("reading a job", () => {
  it("asks for it by its project and id, with the token, and tells all of it", async () => {
    const { gitlab, forge, clock, connection } = await startWorld();
    gitlab.script(`GET ${path}`, { json: aJob() });

    expect(await forge.readJob(connection(), 380, 41_977)).toEqual({
      projectId: 380,
      jobId: 41_977,
      name: "unit",
      stage: "test",
      pipelineId: 9001,
      ref: "main",
      status: "pending",
      tags: ["linux", "small"],
      protected: "unknown",
      refIsTag: false,
      allowFailure: false,
      runnerId: undefined,
      createdAt: Date.parse("2026-02-02T02:40:00Z"),
      queuedAt: clock.now() - 2_500,
      startedAt: undefined,
      finishedAt: undefined,
      url: "https://gitlab.example.com/harbour/wharf/-/jobs/41977",
    });
    expect(gitlab.seen).toMatchObject([{ method: "GET", path, query: "", body: undefined }]);
    expect(gitlab.seen[0]?.headers).toMatchObject({ "private-token": token, accept: "application/json", "user-agent": "firerunner" });
    expect(gitlab.seen[0]?.headers).not.toHaveProperty("content-type");
  });

  it("tells the runner and times of one that runs", async () => {
    const { gitlab, forge, connection } = await startWorld();
    const running = { status: "running", started_at: "2026-02-02 02:41:00 UTC", runner: { id: 77, description: "x" }, allow_failure: true };
    gitlab.script(`GET ${path}`, { json: aJob(running) });

    const startedAt = Date.parse("2026-02-02T02:41:00Z");
    expect(await forge.readJob(connection(), 380, 41_977)).toMatchObject({
      status: "running",
      runnerId: 77,
      allowFailure: true,
      startedAt,
      queuedAt: startedAt - 2_500,
    });
  });

  it("gives undefined for one that GitLab does not know", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${path}`, { status: 404, json: { message: "404 Not found" } });
    expect(await forge.readJob(connection(), 380, 41_977)).toBeUndefined();
    expect(gitlab.seen).toHaveLength(1);
  });

  it("does not take another server's 404 for GitLab's", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${path}`, { status: 404, text: "<h1>not here</h1>", type: "text/html" });
    await expect(forge.readJob(connection(), 380, 41_977)).rejects.toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringContaining("check that the connection's url leads to GitLab"),
    });
  });

  it.each([
    ["no tags", { tag_list: undefined }],
    ["no id", { id: "x" }],
    ["no status", { status: null }],
  ])("refuses an answer with %s rather than guess", async (_name, overrides) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${path}`, { json: aJob(overrides) });
    await expect(forge.readJob(connection(), 380, 41_977)).rejects.toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringContaining("a job with its id, status and tags was expected"),
    });
  });

  it.each([
    ["broken JSON", { text: '{"id": 4', type: "application/json" }, "its JSON is broken"],
    ["a page for people", { text: "<html>sign in</html>", type: "text/html; charset=utf-8" }, 'content type is "text/html'],
    ["nothing", {}, "a job with its id, status and tags was expected"],
  ])("refuses %s", async (_name, reply, reason) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${path}`, reply);
    await expect(forge.readJob(connection(), 380, 41_977)).rejects.toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringContaining(reason),
    });
  });

  it("works below a relative URL root", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /gitlab/api/v4/projects/380/jobs/41977", { json: aJob() });
    const rooted = { ...connection(), url: `${gitlab.url}/gitlab` };
    expect(await forge.readJob(rooted, 380, 41_977)).toMatchObject({ jobId: 41_977 });
  });
});
