import { describe, expect, it } from "vitest";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import {
  aConnectionView,
  aHost,
  aHostView,
  aJob,
  anIdentity,
  aPool,
  aSnapshot,
  aVm,
  now,
  remarkable,
  shownVm,
} from "./snapshot.fixture.js";
import type { ObservedMicrovm, Snapshot } from "./snapshot.js";

const stray = (shown: Partial<ObservedMicrovm> = {}) => shownVm({ name: "vm-stray", ...shown });
const look = (shown: readonly ObservedMicrovm[], rest: Partial<Snapshot> = {}) => {
  const snapshot = aSnapshot({ hosts: [aHostView(aHost(), shown)], ...rest });
  const decided = plan(snapshot);
  const after = applyPlan(snapshot, decided);
  return { ...after, conditions: remarkable(after.conditions), decided };
};

describe("what stands on a host without a record", () => {
  it("is taken into the ordinary removal when it bears our mark", () => {
    const { microvms, identities, decided } = look([stray({ address: "10.20.0.7/24", mac: "02:00:00:00:00:07" })]);
    expect(microvms).toMatchObject([
      { name: "vm-stray", uid: "uid-vm-stray", phase: "draining", address: "10.20.0.7/24", mac: "02:00:00:00:00:07" },
    ]);
    expect(identities).toMatchObject([{ vm: "vm-stray", state: "leaving" }]);
    expect(decided.effects).toContainEqual({ kind: "findRunner", vm: "vm-stray", connection: "forge" });
    expect(decided.effects.map(({ kind }) => kind)).not.toContain("deleteOnHost");
  });

  it.each([
    ["the size that its mark names", "large", { vcpu: 4, memoryMb: 4096 }],
    ["the largest of its pool when that is not known", undefined, { vcpu: 4, memoryMb: 4096 }],
    ["a small one when its mark says so", "small", { vcpu: 1, memoryMb: 1024 }],
  ])("counts as %s", (_what, size, expected) => {
    const mark = { vm: "vm-stray", pool: "pool", connection: "forge", ...(size === undefined ? {} : { size }) };
    expect(look([stray({ mark })]).microvms).toMatchObject([{ size: expected }]);
  });

  it("keeps the runner that was found before", () => {
    const known = anIdentity({ vm: "vm-stray", state: "leaving", runnerId: 77 });
    expect(look([stray()], { identities: [known] }).identities).toMatchObject([{ runnerId: 77 }]);
  });

  it.each<[string, Partial<Snapshot>]>([
    ["pool", { pools: [] }],
    ["connection", { connections: [], pools: aSnapshot().pools }],
  ])("is left alone while the %s of its mark is not declared", (_what, rest) => {
    expect(look([stray()], rest).microvms).toEqual([]);
  });

  it("is left alone before the forge was read", () => {
    expect(look([stray()], { connections: [aConnectionView({ readAt: undefined, polledAt: undefined })] }).microvms).toEqual([]);
  });

  it.each([
    ["of a declared pool as large as its mark says", { pool: "pool", size: "small" }, 15],
    ["of a pool that is not declared as large as any", { pool: "unknown", size: "small" }, 12],
  ])("takes its host's room before it has one: one %s", (_what, mark, free) => {
    const connections = [aConnectionView()];
    const shown = [stray({ mark: { vm: "vm-stray", connection: "undeclared", ...mark } })];
    const jobs = Array.from({ length: 16 }, (_, n) => aJob({ jobId: n + 1 }));
    const pools = [{ spec: aPool({ maxMicrovms: 20 }), paused: false }];
    expect(look(shown, { connections, jobs, pools }).microvms).toHaveLength(free);
  });

  it("keeps its room and its addresses to itself while it is being deleted", () => {
    expect(look([stray({ state: "deleting" })]).microvms).toMatchObject([{ name: "vm-stray", phase: "draining" }]);
  });
});

describe("what bears no true mark", () => {
  const foreign = stray({ mark: undefined });

  it("is reported and not touched", () => {
    const { conditions, microvms, decided } = look([foreign]);
    expect(conditions).toMatchObject([{ subject: { kind: "host", name: "host-a" }, type: "ForeignMicrovms", count: 1 }]);
    expect(microvms).toEqual([]);
    expect(decided.events).toMatchObject([{ type: "ForeignMicrovms", message: expect.stringContaining("uid-vm-stray") }]);
    expect(decided.effects).toEqual([]);
  });

  it("is reported once, and no longer when it is gone", () => {
    const { conditions } = look([foreign]);
    expect(look([foreign], { conditions }).decided).toMatchObject({ decisions: [], events: [] });
    expect(look([], { conditions }).conditions).toEqual([]);
  });
});

it("tells of an address that one of ours and somebody else's have, and of its end", () => {
  const vm = aVm();
  const ours = shownVm({ address: "10.20.0.2/24", mac: vm.mac });
  const both = look([ours, shownVm({ name: "foreign", mark: undefined, address: "10.20.0.2/16" })], { microvms: [vm] });
  const message = 'more than one microVM has the same: 10.20.0.2 of "foreign" and "vm-one"';
  expect(both.conditions).toContainEqual(expect.objectContaining({ type: "AddressConflict", message }));
  const after = look([ours], { microvms: [vm], conditions: both.conditions });
  expect(after.conditions).toEqual([]);
});

it("deletes the second microVM of one name", () => {
  const vm = aVm({ claimedAt: now - 5_000 });
  const { decided } = look([shownVm(), shownVm({ uid: "double" })], { microvms: [vm] });
  expect(decided.effects).toContainEqual({ kind: "deleteDouble", host: "host-a", uid: "double" });
});
