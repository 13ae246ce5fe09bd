import { describe, expect, it } from "vitest";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { PoolInput } from "../model/pool.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { aJob, anIdentity, aPool, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const pools = (pool: Partial<PoolInput> = {}) => [{ spec: aPool({ maxMicrovmsPerProject: 2, ...pool }), paused: false }];
const waiting = (projectId: number, jobIds: readonly number[], job: Partial<Job> = {}) =>
  jobIds.map((jobId) => aJob({ projectId, jobId, queuedAt: now - 60_000 + jobId, ...job }));
const busy = (n: number, projectId: number, vm: Partial<Microvm> = {}) =>
  aVm({
    name: `vm-${n}`,
    address: `10.20.0.${n + 10}/24`,
    mac: `02:00:00:00:00:${10 + n}`,
    phase: "busy",
    identity: true,
    job: `forge/${projectId}/${900 + n}`,
    jobDeadlineAt: now + 3_600_000,
    ...vm,
  });
const runs = (n: number, projectId: number) => aJob({ projectId, jobId: 900 + n, status: "running", runnerId: 100 + n, vm: `vm-${n}` });
const runner = (n: number) => anIdentity({ vm: `vm-${n}`, runnerId: 100 + n, pausedAt: now - 10_000 });

function decide(rest: Partial<Snapshot>) {
  const before = aSnapshot(rest);
  const { after } = planUntilDone(before);
  const known = new Set(before.microvms.map(({ name }) => name));
  const pending = after.jobs.filter(({ status }) => status === "pending");
  return {
    made: after.microvms.filter(({ name }) => !known.has(name)).length,
    held: pending.filter(({ waitingReason }) => waitingReason?.code === "FR-PROJECT-LIMIT").map(({ jobId }) => jobId),
    messages: pending.map(({ waitingReason }) => waitingReason?.message),
  };
}

describe("a pool with a quota for each project", () => {
  it("serves so many jobs of one project, the oldest first, and those of another beside them", () => {
    const { made, held, messages } = decide({ jobs: [...waiting(7, [1, 2, 3, 4]), ...waiting(8, [5])], pools: pools() });
    expect(made).toBe(3);
    expect(held).toEqual([3, 4]);
    expect(messages[2]).toBe('project 7 has its 2 microVMs of pool "pool"');
  });

  it("counts what runs", () => {
    const { made, held } = decide({
      jobs: [...waiting(7, [1, 2]), runs(1, 7)],
      microvms: [busy(1, 7)],
      identities: [runner(1)],
      pools: pools(),
    });
    expect([made, held]).toEqual([1, [2]]);
  });

  it("counts what still has to go, and not what others run", () => {
    const leaving = busy(1, 7, { phase: "deleting", drainingAt: now - 10, deletingAt: now - 5 });
    const { held } = decide({
      jobs: [...waiting(7, [1, 2]), runs(2, 8)],
      microvms: [leaving, busy(2, 8)],
      identities: [runner(1), runner(2)],
      pools: pools(),
    });
    expect(held).toEqual([2]);
  });

  it("counts all sizes together", () => {
    const jobs = [...waiting(7, [1], { tags: ["vm", "large"] }), ...waiting(7, [2, 3])];
    expect(decide({ jobs, pools: pools() })).toMatchObject({ made: 2, held: [3] });
  });

  it("gives what idles to no job beyond it", () => {
    const { held, made } = decide({
      jobs: [...waiting(7, [1]), runs(1, 7)],
      microvms: [busy(1, 7), aVm()],
      identities: [runner(1)],
      pools: pools({ maxMicrovmsPerProject: 1 }),
    });
    expect([made, held]).toEqual([0, [1]]);
  });

  it("serves a job again that had to wait", () => {
    const reason = { code: "FR-PROJECT-LIMIT", message: "before" };
    expect(decide({ jobs: waiting(7, [1], { waitingReason: reason }), pools: pools() })).toMatchObject({ made: 1, held: [] });
  });

  it("holds nothing back where there is none", () => {
    expect(decide({ jobs: waiting(7, [1, 2, 3]), pools: [{ spec: aPool(), paused: false }] })).toMatchObject({ made: 3, held: [] });
  });
});
