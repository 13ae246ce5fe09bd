import { describe, expect, it } from "vitest";
import type { ForgeJob } from "../forge/port.js";
import type { JobStatus } from "../model/job.js";
import { aJob } from "../plan/snapshot.fixture.js";
import { jobRecord } from "./job-record.js";

const told = (job: Partial<ForgeJob> = {}): ForgeJob => ({
  projectId: 7,
  jobId: 1,
  name: "test",
  stage: "test",
  pipelineId: undefined,
  ref: undefined,
  status: "pending",
  tags: ["vm"],
  protected: false,
  allowFailure: false,
  runnerId: undefined,
  createdAt: undefined,
  queuedAt: undefined,
  startedAt: undefined,
  finishedAt: undefined,
  ...job,
});
const forge = { name: "forge", url: "https://gitlab.example.com" };
const trace = () => "f".repeat(32);
const record = (known: Parameters<typeof jobRecord>[1], read: Partial<ForgeJob>, readAt = 2_000) =>
  jobRecord(forge, known, told(read), readAt, trace);

describe("the record of a job", () => {
  it("begins with its own trace, queued when the forge says so", () => {
    expect(record(undefined, { queuedAt: 1_500 })).toMatchObject({ traceId: trace(), queuedAt: 1_500, readAt: 2_000, status: "pending" });
  });

  it("keeps what was decided, and the reason only while the job waits", () => {
    const known = aJob({ readAt: 1_000, pool: "pool", size: "small", waitingReason: { code: "FR-POOL-LIMIT", message: "full" } });
    expect(record(known, { allowFailure: true })).toMatchObject({ pool: "pool", size: "small", waitingReason: { code: "FR-POOL-LIMIT" } });
    expect(record(known, { status: "running", runnerId: 9 })).toMatchObject({ pool: "pool", runnerId: 9, traceId: known.traceId });
    expect(record(known, { status: "running", runnerId: 9 })?.waitingReason).toBeUndefined();
  });

  it("is not written again when only the time of reading changed", () => {
    expect(record(aJob({ readAt: 1_000, forge: forge.url }), {})).toBeUndefined();
  });

  it("is not moved by an answer to an older question", () => {
    expect(record(aJob({ readAt: 3_000 }), { status: "running" })).toBeUndefined();
  });

  it.each<[JobStatus, JobStatus]>([
    ["running", "pending"],
    ["canceling", "pending"],
    ["success", "running"],
    ["canceled", "pending"],
  ])("never goes back from %s to %s", (known, read) => {
    expect(record(aJob({ readAt: 1_000, status: known }), { status: read })).toBeUndefined();
  });
});
