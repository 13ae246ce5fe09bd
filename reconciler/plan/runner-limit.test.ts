import { describe, expect, it } from "vitest";
import type { Condition } from "../model/condition.js";
import type { Microvm } from "../model/microvm.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { limitReached, runnerLimit } from "./runner-limit.js";
import { aJob, anIdentity, aPool, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const limited = (until: number): Condition => ({
  ...runnerLimit("forge"),
  ...{ status: true, reason: "FR-FORGE-RUNNER-LIMIT", message: "50 runners", observedAt: now - 9_000, count: 1, until },
});
/** It is on its way, and the forge was not asked for its runner. */
function wanted(n: number, more: Partial<Microvm> = {}) {
  const {
    claimedAt: _claimedAt,
    uid: _uid,
    ...vm
  } = aVm({ name: `vm-${n}`, address: `10.20.0.${n + 10}/24`, mac: `02:00:00:00:00:1${n}` });
  const { runnerId: _runnerId, sealedToken: _token, ...runner } = anIdentity({ vm: vm.name, state: "wanted", attempts: 0 });
  return { vm: { ...vm, phase: "creating" as const, identity: true, committedAt: now - 25_000, ...more }, runner };
}

/** Decides until nothing is left, and what would be decided next. */
function settle(rest: Partial<Snapshot>) {
  const { after } = planUntilDone(aSnapshot(rest));
  return { after, next: plan(after).decisions };
}

describe("while the forge is at its limit", () => {
  it("a job is told of it although a surplus microVM without a runner was given up just now", () => {
    const all = [wanted(1, { phase: "booting", committedAt: now - 1_000, allocatedAt: now - 30_000 }), wanted(2)];
    const { after, next } = settle({
      jobs: [aJob()],
      microvms: all.map(({ vm }) => vm),
      identities: all.map(({ runner }) => runner),
      conditions: [limited(now + 3_000)],
    });
    expect(after.jobs[0]?.waitingReason).toMatchObject({ code: "FR-FORGE-RUNNER-LIMIT", message: "50 runners" });
    expect(next).toEqual([]);
  });

  it("a runner that another pool no longer needs is not waited for when the time of the next try has come", () => {
    const surplus = wanted(1);
    const pools = [aPool(), aPool({ name: "other", tags: ["other"] })].map((spec) => ({ spec, paused: false }));
    for (const order of [pools, pools.toReversed()]) {
      const { after, next } = settle({
        jobs: [aJob({ tags: ["other"] })],
        microvms: [surplus.vm],
        identities: [surplus.runner],
        pools: order,
        conditions: [limited(now - 1_000)],
      });
      expect(after.identities).toMatchObject([
        { vm: "vm-1", state: "leaving" },
        { state: "wanted", tags: ["other", "small"] },
      ]);
      expect(next).toEqual([]);
    }
  });
});

it("runners that were refused together count as one refusal", () => {
  const first = limitReached("forge", undefined, "50 runners", now);
  expect(first).toMatchObject({ count: 1, until: now + 5_000 });
  expect(limitReached("forge", first, "50 runners", now + 100)).toMatchObject({ count: 1, until: now + 5_000 });
  expect(limitReached("forge", first, "50 runners", now + 5_000)).toMatchObject({ count: 2, until: now + 15_000 });
});
