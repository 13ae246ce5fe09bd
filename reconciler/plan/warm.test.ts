import { describe, expect, it } from "vitest";
import type { Microvm } from "../model/microvm.js";
import type { PoolInput } from "../model/pool.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aJob, anIdentity, aPool, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const pools = (pool: Partial<PoolInput>) => [{ spec: aPool(pool), paused: false }];
const vm = (n: number, more: Partial<Microvm> = {}) =>
  aVm({ name: `vm-${n}`, address: `10.20.0.${n + 10}/24`, mac: `02:00:00:00:00:${10 + n}`, ...more });
const busy = (n: number, more: Partial<Microvm> = {}) =>
  vm(n, { phase: "busy", identity: true, job: `forge/7/${900 + n}`, jobDeadlineAt: now + 3_600_000, ...more });
const runs = (n: number) => aJob({ jobId: 900 + n, status: "running", runnerId: 100 + n, vm: `vm-${n}` });
const runner = (n: number) => anIdentity({ vm: `vm-${n}`, runnerId: 100 + n, pausedAt: now - 10_000 });
const inUse = (count: number) => {
  const all = Array.from({ length: count }, (_, n) => n);
  return { microvms: all.map((n) => busy(n)), jobs: all.map(runs), identities: all.map(runner) };
};
const idleOf = (rest: Partial<Snapshot>) =>
  planUntilDone(aSnapshot(rest)).after.microvms.filter(({ identity, phase }) => !identity && phase !== "draining" && phase !== "deleting");

describe("a job that waits while a microVM is parked", () => {
  it("is handed it in the same pass, and its runner is asked for", () => {
    const { decisions, effects } = plan(aSnapshot({ jobs: [aJob()], microvms: [vm(1)], pools: pools({ minIdle: 1 }) }));
    expect(decisions).toContainEqual({
      kind: "microvm",
      key: "vm-1",
      value: expect.objectContaining({ identity: true, committedAt: now }),
    });
    expect(effects).toContainEqual({ kind: "makeRunner", vm: "vm-1", connection: "forge", findFirst: false });
  });

  it("is handed the oldest of those parked", () => {
    const microvms = [vm(1, { allocatedAt: now - 10_000 }), vm(2, { allocatedAt: now - 30_000 }), vm(3, { allocatedAt: now - 20_000 })];
    const { after } = planUntilDone(aSnapshot({ jobs: [aJob()], microvms, pools: pools({ minIdle: 3 }) }));
    expect(after.microvms.filter(({ identity }) => identity).map(({ name }) => name)).toEqual(["vm-2"]);
  });
});

describe("a part of those in use that is kept ready", () => {
  it("counts microVMs with a job and those committed to one", () => {
    expect(idleOf({ ...inUse(3), pools: pools({ scaleFactor: 0.5 }) })).toHaveLength(2);
    const waiting = [aJob(), aJob({ jobId: 2 })];
    expect(idleOf({ jobs: waiting, pools: pools({ scaleFactor: 0.5 }) })).toHaveLength(1);
  });

  it("is no more than its limit, and no less than minIdle", () => {
    expect(idleOf({ ...inUse(4), pools: pools({ scaleFactor: 2, scaleFactorLimit: 3 }) })).toHaveLength(3);
    expect(idleOf({ ...inUse(1), pools: pools({ scaleFactor: 0.1, minIdle: 2 }) })).toHaveLength(2);
  });

  it("never takes a pool beyond maxMicrovms", () => {
    expect(idleOf({ ...inUse(4), pools: pools({ scaleFactor: 1, maxMicrovms: 5 }) })).toHaveLength(1);
  });

  it("is of the pool's own size, and counts no other", () => {
    const { microvms, jobs, identities } = inUse(3);
    const large = microvms.map((each) => ({ ...each, sizeName: "large", size: { vcpu: 4, memoryMb: 4096 } }));
    expect(idleOf({ microvms: large, jobs, identities, pools: pools({ scaleFactor: 1 }) })).toEqual([]);
  });

  it("goes again after the idle time when less is in use", () => {
    const rest = { microvms: [vm(1, { claimedAt: now - 61_000 })], pools: pools({ scaleFactor: 1, idleTimeS: 60 }) };
    expect(idleOf(rest)).toEqual([]);
    const { microvms, ...others } = inUse(1);
    expect(idleOf({ ...others, ...rest, microvms: [...microvms, vm(1, { claimedAt: now - 61_000 })] })).toHaveLength(1);
  });
});

it("lets a microVM idle for as long as the policy of the hour says", () => {
  const hour = new Date(now).getUTCHours();
  const policy = (hours: number) => ({ idleTimeS: 300, idlePolicies: [{ periods: [`* ${hours % 24} * * *`], idleTimeS: 30 }] });
  const microvms = [vm(1, { claimedAt: now - 60_000 })];
  expect(idleOf({ microvms, pools: pools(policy(hour)) })).toEqual([]);
  expect(idleOf({ microvms, pools: pools(policy(hour + 1)) })).toHaveLength(1);
});

describe("a change of a pool's image or size", () => {
  it.each<[string, Partial<PoolInput>]>([
    ["image", { image: "newer" }],
    ["size", { sizes: { small: { vcpu: 2, memoryMb: 2048 } } }],
  ])("of its %s replaces what is parked and never what has a job", (_what, change) => {
    const images = [...aSnapshot().images, ...aSnapshot().images.map((image) => ({ ...image, name: "newer" }))];
    const before = { microvms: [vm(1), busy(2)], jobs: [runs(2)], identities: [runner(2)], images };
    const { after } = planUntilDone(aSnapshot({ ...before, pools: pools({ minIdle: 1, ...change }) }));
    const phaseOf = (name: string) => after.microvms.find((each) => each.name === name)?.phase;
    expect([phaseOf("vm-1"), phaseOf("vm-2")]).toEqual(["deleting", "busy"]);
    expect(after.microvms.filter(({ name }) => name !== "vm-1" && name !== "vm-2")).toHaveLength(1);
  });
});
