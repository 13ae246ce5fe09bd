import { describe, expect, it } from "vitest";
import { aJob } from "../../http/listeners.fixture.js";
import type { Job } from "../../model/job.js";
import { followPipeline } from "./follow-pipeline.js";
import type { GitLabClient, PipelineJob } from "./gitlab-client.js";

const times = { started_at: "2026-02-03T04:05:06Z", finished_at: "2026-02-03T04:05:08Z" };
const ran: PipelineJob = { id: 7, name: "unit", stage: "test", status: "success", allow_failure: false, ...times };
const running: PipelineJob = { ...ran, status: "running", finished_at: null };

/** Follows a pipeline whose jobs are these at the first look, these at the second, …, and of which so much is known. */
async function follow(looks: readonly (readonly PipelineJob[])[], known: readonly (readonly Job[])[], deadlineMs = 60_000) {
  let look = 0;
  const jobs = () => looks[Math.min(look, looks.length - 1)] ?? [];
  const unused = () => Promise.reject(new Error("is not asked for"));
  const gitlab: GitLabClient = {
    ensureProject: unused,
    ensureHook: unused,
    pipelineOf: unused,
    log: unused,
    cancelJob: unused,
    countRunners: unused,
    pipeline: async (_project, id) => ({
      id,
      sha: "0".repeat(40),
      status: jobs().every((job) => job.status !== "running") ? "success" : "running",
    }),
    jobs: async () => jobs(),
  };
  const followed = await followPipeline({
    gitlab,
    known: () => known[Math.min(look, known.length - 1)] ?? [],
    projectId: 380,
    pipelineId: 1,
    deadlineMs,
    signal: new AbortController().signal,
    show: () => {
      look += 1;
    },
  });
  return { ...followed, looks: look };
}

const learnt = aJob({ jobId: 7, status: "success", vm: "vm-a", host: "host-1" });

describe("following a pipeline", () => {
  it("ends when it is over and it is known where its jobs ran", async () => {
    const followed = await follow([[running], [ran]], [[aJob({ jobId: 7 })], [aJob({ jobId: 7 })], [learnt]]);
    expect(followed.looks).toBe(3);
    expect(followed.rows).toMatchObject([{ status: "success", vm: "vm-a", host: "host-1" }]);
  });

  it("does not wait for where a job ran that never did", async () => {
    const cancelled = { ...ran, status: "canceled", started_at: null };
    expect((await follow([[cancelled]], [[]])).looks).toBe(1);
  });

  it("says at the deadline what was not over", async () => {
    await expect(follow([[running]], [[]], 0)).rejects.toMatchObject({
      code: "FR-INVALID",
      message: "the pipeline was not over after 0 s: unit (running)",
    });
  });
});
