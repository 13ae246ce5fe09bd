import { describe, expect, it } from "vitest";
import type { Identity } from "../model/identity.js";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { PoolInput } from "../model/pool.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { aJob, anIdentity, aPool, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const { claimedAt: _claimedAt, ...unclaimed } = aVm({
  phase: "booting",
  identity: true,
  committedAt: now - 20_000,
  allocatedAt: now - 20_000,
});
const delivered = aVm({ phase: "assigned", identity: true, committedAt: now - 20_000, assignedAt: now - 15_000 });
const cancelled = (agoMs: number, job: Partial<Job> = {}) =>
  aJob({ status: "canceled", pool: "pool", size: "small", readAt: now - agoMs, finishedAt: now - agoMs, ...job });
const pools = (pool: Partial<PoolInput> = {}) => [{ spec: aPool(pool), paused: false }];

function decide(microvm: Microvm, rest: Partial<Snapshot> = {}, identity: Partial<Identity> = {}) {
  const before = aSnapshot({ microvms: [microvm], identities: [anIdentity(identity)], ...rest });
  const { after, rounds } = planUntilDone(before);
  return {
    after,
    vm: after.microvms.find(({ name }) => name === microvm.name),
    identity: after.identities.find(({ vm }) => vm === microvm.name),
    made: after.microvms.filter(({ name }) => name !== microvm.name),
    effects: rounds.flatMap(({ effects }) => effects),
  };
}

describe("a job that is cancelled before its microVM got the runner", () => {
  it("leaves the runner to the next job while its class still waits", () => {
    const { vm, identity, made } = decide(unclaimed, { jobs: [cancelled(60_000), aJob({ jobId: 2 })] });
    expect(vm).toMatchObject({ phase: "booting", identity: true });
    expect(identity).toMatchObject({ state: "ready" });
    expect(made).toEqual([]);
  });

  it("leaves both for a little while when nothing waits", () => {
    expect(decide(unclaimed, { jobs: [cancelled(9_000)] }).vm).toMatchObject({ phase: "booting", identity: true });
  });

  it("has the runner deleted and the microVM removed when none is kept ready", () => {
    const { vm, identity } = decide(unclaimed, { jobs: [cancelled(10_000)] });
    expect(vm?.phase).toBe("deleting");
    expect(identity?.state).toBe("leaving");
  });

  it("has the runner deleted in order and the microVM kept when one is to be ready", () => {
    const { vm, identity, made, effects } = decide(unclaimed, { jobs: [cancelled(10_000)], pools: pools({ minIdle: 1 }) });
    expect(vm).toMatchObject({ phase: "booting", identity: false });
    expect(vm?.committedAt).toBeUndefined();
    expect(identity).toMatchObject({ state: "leaving" });
    expect(identity?.sealedToken).toBeUndefined();
    expect(made).toEqual([]);
    expect(effects).toContainEqual({ kind: "pauseRunner", vm: "vm-one", connection: "forge", runnerId: 100 });
  });

  it("costs the forge nothing when the runner was not asked for yet", () => {
    const wanted = { state: "wanted", attempts: 0 } as const;
    const { runnerId: _runnerId, sealedToken: _token, ...bare } = anIdentity(wanted);
    const { vm, identity, effects } = decide(unclaimed, { identities: [bare], jobs: [cancelled(10_000)], pools: pools({ minIdle: 1 }) });
    expect(vm).toMatchObject({ phase: "booting", identity: false });
    expect(identity).toBeUndefined();
    expect(effects.filter((effect) => "vm" in effect)).toEqual([]);
  });

  it("has its microVM parked at its claim", () => {
    const spare = { ...unclaimed, identity: false };
    const guestReports = new Map([["vm-one", { vm: "vm-one", bootId: "b", secretSha256: "a".repeat(64), claimedAt: now - 10 }]]);
    const { vm } = decide(spare, { guestReports, pools: pools({ minIdle: 1 }) }, { state: "leaving", pausedAt: now - 1_000 });
    expect(vm).toMatchObject({ phase: "parked", identity: false });
  });
});

describe("a microVM whose former runner is still being removed", () => {
  const spare = aVm({ phase: "parked", identity: false });
  const former = { state: "leaving", pausedAt: now - 20_000 } as const;

  it("is given to no job before that is done", () => {
    const { vm, made } = decide(spare, { jobs: [aJob()], pools: pools({ minIdle: 1 }) }, former);
    expect(vm?.identity).toBe(false);
    expect(made.filter(({ identity }) => identity)).toHaveLength(1);
  });

  it("has it deleted as soon as it surely runs nothing", () => {
    const { effects } = decide(spare, { pools: pools({ minIdle: 1 }) }, { ...former, runningJobs: { count: 0, at: now - 10_000 } });
    expect(effects).toContainEqual({ kind: "deleteRunner", vm: "vm-one", connection: "forge", runnerId: 100 });
  });

  it("is waited for like any other when that runner took a job after all", () => {
    const job = aJob({ status: "running", runnerId: 100 });
    const { vm } = decide(spare, { jobs: [job], pools: pools({ minIdle: 1 }) }, former);
    expect(vm).toMatchObject({ phase: "busy", identity: true, job: "forge/7/1" });
  });

  it("is not deleted at once when it claimed and is to go", () => {
    const { vm, effects } = decide(spare, { pools: pools({ idleTimeS: 0 }) }, former);
    expect(vm?.phase).toBe("draining");
    expect(effects).toContainEqual(expect.objectContaining({ kind: "readRunningJobs" }));
  });
});

describe("a job that is cancelled while its microVM has the runner", () => {
  it("leaves the microVM surplus until its wait ends", () => {
    expect(decide(delivered, { jobs: [cancelled(9_000)], pools: pools({ minIdle: 1 }) }).vm).toMatchObject({ phase: "assigned" });
  });

  it("lets the microVM serve the next job meanwhile", () => {
    expect(decide(delivered, { jobs: [cancelled(9_000), aJob({ jobId: 2 })] }).made).toEqual([]);
  });

  it("has it removed in order then, even where one is to be ready: it has seen a credential", () => {
    const { vm, effects } = decide(delivered, { jobs: [cancelled(10_000)], pools: pools({ minIdle: 1 }) });
    expect(vm?.phase).toBe("draining");
    expect(effects).toContainEqual({ kind: "pauseRunner", vm: "vm-one", connection: "forge", runnerId: 100 });
  });
});

describe("a microVM that has its job", () => {
  const busy = aVm({ ...delivered, phase: "busy", job: "forge/7/1", busyAt: now - 9_000, jobDeadlineAt: now + 3_600_000 });
  const paused = { pausedAt: now - 8_000 };
  const job = (status: Job["status"]) => [aJob({ status, runnerId: 100, vm: "vm-one", readAt: now - 100 })];

  it("is left alone while the job is being cancelled", () => {
    const { vm, effects } = decide(busy, { jobs: job("canceling") }, paused);
    expect(vm).toMatchObject({ phase: "busy" });
    expect(effects.filter((effect) => "vm" in effect)).toEqual([]);
  });

  it("is removed now when the job is cancelled", () => {
    const { vm, effects } = decide(busy, { jobs: job("canceled") }, paused);
    expect(vm?.phase).toBe("draining");
    expect(effects).toContainEqual({ kind: "readRunningJobs", vm: "vm-one", connection: "forge", runnerId: 100 });
  });
});

it.each(["created", "waiting_for_resource", "preparing", "manual", "scheduled"] as const)(
  "a job that is %s costs nothing yet",
  (status) => {
    const { after } = planUntilDone(aSnapshot({ jobs: [aJob({ status })] }));
    expect([after.microvms, after.identities]).toEqual([[], []]);
  },
);
