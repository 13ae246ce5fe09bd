import { expect, it } from "vitest";
import type { Identity } from "../model/identity.js";
import type { Microvm } from "../model/microvm.js";
import type { PoolInput } from "../model/pool.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { aJob, anIdentity, aPool, aSnapshot, aVm, now } from "./snapshot.fixture.js";

const { claimedAt: _claimedAt, ...unclaimed } = aVm({ phase: "booting", identity: true, committedAt: now - 2_000 });
const delivered = aVm({ phase: "assigned", identity: true, committedAt: now - 20_000, assignedAt: now - 15_000 });
const busy = aVm({ phase: "busy", identity: true, job: "forge/7/9", busyAt: now - 1_000, jobDeadlineAt: now + 3_600_000 });

function decide(microvm: Microvm, pool: Partial<PoolInput>, identity: Partial<Identity> = {}) {
  const runs = microvm.phase === "busy" ? [aJob({ jobId: 9, status: "running", vm: microvm.name })] : [];
  const { after, rounds } = planUntilDone(
    aSnapshot({
      microvms: [microvm],
      identities: [anIdentity(identity)],
      pools: [{ spec: aPool(pool), paused: false }],
      jobs: [...runs, aJob({ tags: ["vm"], protected: true })],
    }),
  );
  return {
    vm: after.microvms.find(({ name }) => name === microvm.name),
    runner: after.identities.find(({ vm }) => vm === microvm.name),
    others: after.identities.filter(({ vm }) => vm !== microvm.name),
    effects: rounds.flatMap(({ effects }) => effects.filter((effect) => "vm" in effect && effect.vm === microvm.name)),
  };
}

const anew: [string, Partial<PoolInput>][] = [
  ["other tags", { tags: ["vm", "new"] }],
  ["untagged jobs", { runUntagged: true }],
  ["protected refs only", { accessLevel: "ref_protected" }],
  ["longer jobs", { maxJobTimeoutS: 7200 }],
];

it.each(anew)("a runner that was not delivered is taken back when its pool is declared for %s", (_what, pool) => {
  const { vm, runner, others, effects } = decide(unclaimed, pool);
  expect(vm).toMatchObject({ phase: "booting", identity: false });
  expect(runner).toMatchObject({ state: "leaving" });
  expect(effects).toEqual([{ kind: "pauseRunner", vm: "vm-one", connection: "forge", runnerId: 100 }]);
  // The job does not wait for that.
  expect(others).toMatchObject([{ state: "wanted", tags: [...new Set([...aPool(pool).tags, "small"])] }]);
});

it.each(anew)("a microVM that has its runner is replaced, in order, when its pool is declared for %s", (_what, pool) => {
  const { vm, runner, effects } = decide(delivered, pool);
  expect(vm).toMatchObject({ phase: "draining" });
  expect(runner).toMatchObject({ state: "leaving" });
  expect(effects).toEqual([{ kind: "pauseRunner", vm: "vm-one", connection: "forge", runnerId: 100 }]);
});

it.each(anew)("a job that runs is let run when its pool is declared for %s", (_what, pool) => {
  const { vm, runner, effects } = decide(busy, pool, { pausedAt: now - 900 });
  expect(vm).toMatchObject({ phase: "busy" });
  expect(runner).toMatchObject({ state: "ready" });
  expect(effects).toEqual([]);
});

it("nothing is made anew for the same tags in another order", () => {
  const { vm, effects } = decide(delivered, { tags: ["new", "vm"] }, { tags: ["vm", "small", "new"] });
  expect(vm).toMatchObject({ phase: "assigned" });
  expect(effects).toEqual([]);
});

it("a runner that was not even asked for is wanted anew in the same moment", () => {
  const { runnerId: _runnerId, sealedToken: _token, ...unasked } = anIdentity({ state: "wanted", attempts: 0, tags: ["vm", "small"] });
  const pools = [{ spec: aPool({ tags: ["vm", "new"], maxMicrovms: 1 }), paused: false }];
  const { after } = planUntilDone(aSnapshot({ microvms: [unclaimed], identities: [unasked], pools, jobs: [aJob({ tags: ["vm"] })] }));
  expect(after.microvms).toMatchObject([{ name: "vm-one", identity: true }]);
  expect(after.identities).toMatchObject([{ vm: "vm-one", state: "wanted", tags: ["vm", "new", "small"], attempts: 1 }]);
});

it.each<[string, Identity["scope"], object]>([
  ["taken back when its connection serves less than it was made for", { groupId: 5 }, { identity: false }],
  ["left as it is when its connection serves what it was made for", { instance: true }, { identity: true }],
  ["left as it is when what it was made for is not known", undefined, { identity: true }],
])("a runner is %s", (_what, scope, expected) => {
  const { vm } = decide(unclaimed, {}, scope === undefined ? {} : { scope });
  expect(vm).toMatchObject(expected);
});
