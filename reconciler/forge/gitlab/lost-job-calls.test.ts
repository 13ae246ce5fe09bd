import { describe, expect, it } from "vitest";
import { aJob, startWorld } from "./gitlab-server.fixture.js";

const path = "/projects/380/jobs/41977";
const pipeline = "/projects/380/pipelines/9001/jobs";
const job = { projectId: 380, jobId: 41_977, name: "unit", pipelineId: 9001 };
const insufficient = {
  status: 403,
  json: { error: "insufficient_scope", error_description: "The request requires higher privileges", scope: "api" },
};

describe("cancelling a job", () => {
  it.each([
    [false, "canceled", {}],
    [false, "canceling", {}],
    [true, "canceled", { force: true }],
  ])("asks once (force: %s), and tells that it is %s", async (force, status, body) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`POST ${path}/cancel`, { status: 201, json: aJob({ status }) });
    expect(await forge.cancelJob(connection(), 380, 41_977, force)).toMatchObject({
      jobId: 41_977,
      status,
      url: "https://gitlab.example.com/harbour/wharf/-/jobs/41977",
    });
    expect(gitlab.seen).toMatchObject([{ method: "POST", path: `${path}/cancel`, body }]);
  });

  it("names the call and the scope when the token may not", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`POST ${path}/cancel`, insufficient);
    gitlab.script(`GET ${path}`, { json: aJob({ status: "running" }) });
    await expect(forge.cancelJob(connection(), 380, 41_977, false)).rejects.toMatchObject({
      code: "FR-FORGE-UNAUTHORIZED",
      retryable: false,
      message: expect.stringMatching(
        /cancelling job 41977 of project 380: GitLab answered 403.*needs the scope api, and the role Developer/,
      ),
    });
  });

  it("names the role that force needs", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`POST ${path}/cancel`, { status: 403, json: { message: "403 Forbidden" } });
    gitlab.script(`GET ${path}`, { json: aJob({ status: "canceling" }) });
    await expect(forge.cancelJob(connection(), 380, 41_977, true)).rejects.toMatchObject({
      message: expect.stringMatching(/by force job 41977.*the role Maintainer in the project/),
    });
  });

  it.each([403, 422])("takes %i for no refusal when the job is over", async (status) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`POST ${path}/cancel`, { status, json: { message: "no" } });
    gitlab.script(`GET ${path}`, { json: aJob({ status: "success" }) });
    expect(await forge.cancelJob(connection(), 380, 41_977, false)).toMatchObject({ status: "success" });
  });

  it("does not repeat a call that may have arrived", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`POST ${path}/cancel`, "reset");
    await expect(forge.cancelJob(connection(), 380, 41_977, false)).rejects.toMatchObject({
      code: "FR-FORGE-UNREACHABLE",
      retryable: true,
    });
    expect(gitlab.seen).toHaveLength(1);
  });

  it("gives undefined for a job, or a project, that is gone", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`POST ${path}/cancel`, { status: 404, json: { message: "404 Project Not Found" } });
    expect(await forge.cancelJob(connection(), 380, 41_977, false)).toBeUndefined();
  });
});

describe("retrying a job", () => {
  it("looks for a newer one of its name first, and then gives the one that was made", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${pipeline}`, { json: [aJob({ status: "canceled" }), aJob({ id: 41_990, name: "another" })] });
    gitlab.script(`POST ${path}/retry`, { status: 201, json: aJob({ id: 42_000 }) });
    expect(await forge.retryJob(connection(), job)).toMatchObject({ jobId: 42_000, status: "pending" });
    expect(gitlab.seen.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it("makes none when there is a newer one: an answer was lost, or somebody was faster", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${pipeline}`, { json: [aJob({ id: 42_000, status: "running" })] });
    expect(await forge.retryJob(connection(), job)).toMatchObject({ jobId: 42_000 });
    expect(gitlab.seen).toHaveLength(1);
  });

  it("asks twice and makes one when the first answer was lost", async () => {
    const { gitlab, forge, connection } = await startWorld();
    let made = false;
    gitlab.script(`GET ${pipeline}`, () => ({ json: made ? [aJob({ id: 42_000 })] : [aJob({ status: "canceled" })] }));
    gitlab.script(`POST ${path}/retry`, () => {
      made = true;
      return "reset";
    });
    await expect(forge.retryJob(connection(), job)).rejects.toMatchObject({ retryable: true });
    expect(await forge.retryJob(connection(), job)).toMatchObject({ jobId: 42_000 });
    expect(gitlab.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  it("gives the job of who was faster in the same moment", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${pipeline}`, { json: [] }, { json: [aJob({ id: 42_000 })] });
    gitlab.script(`POST ${path}/retry`, { status: 403, json: { message: "403 Forbidden - Job is not retryable" } });
    expect(await forge.retryJob(connection(), job)).toMatchObject({ jobId: 42_000 });
  });

  it("names the call and the scope when the token may not", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${pipeline}`, { json: [] });
    gitlab.script(`POST ${path}/retry`, insufficient);
    await expect(forge.retryJob(connection(), job)).rejects.toMatchObject({
      code: "FR-FORGE-UNAUTHORIZED",
      message: expect.stringMatching(/retrying job 41977 of project 380: .*insufficient_scope.*needs the scope api/),
    });
  });

  it("does not retry in a pipeline that is larger than what is read", async () => {
    const { gitlab, forge, connection } = await startWorld({ jobPages: 1 });
    gitlab.script(`GET ${pipeline}`, { json: [aJob({ status: "canceled" })], headers: { "x-next-page": "2" } });
    await expect(forge.retryJob(connection(), job)).rejects.toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringContaining("more jobs than are read"),
    });
  });
});
