import { describe, expect, it } from "vitest";
import type { Identity } from "../model/identity.js";
import type { Microvm } from "../model/microvm.js";
import { applyPlan } from "./apply-plan.fixture.js";
import { Draft } from "./draft.js";
import { plan } from "./plan.js";
import { aConnectionView, aJob, anIdentity, aReport, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";
import { countsAgainstPool } from "./supply.js";

const leaving = (identity: Partial<Identity> = {}) => {
  const { sealedToken: _token, ...rest } = anIdentity({ state: "leaving", ...identity });
  return rest;
};
const draining = (vm: Partial<Microvm> = {}) =>
  aVm({ phase: "draining", identity: true, assignedAt: now - 4_000, drainingAt: now - 100, jobDeadlineAt: now + 600_000, ...vm });
const deleting = (vm: Partial<Microvm> = {}) => draining({ phase: "deleting", ...vm });
const look = (vm: Microvm, identity?: Identity, rest: Partial<Snapshot> = {}) => {
  const snapshot = aSnapshot({ microvms: [vm], identities: identity === undefined ? [] : [identity], ...rest });
  const decided = plan(snapshot);
  const after = applyPlan(snapshot, decided);
  const effects = decided.effects.filter((effect) => "vm" in effect).map(({ kind }) => kind);
  return { effects, vm: after.microvms[0], identity: after.identities[0], decided };
};
const target = { vm: "vm-one", connection: "forge", runnerId: 100 };

it("what no guest has claimed goes at once, and only if no claim came until that is written down", () => {
  const { claimedAt: _claimedAt, ...unclaimed } = draining();
  const silence = { kind: "guestReport", key: "vm-one", value: null };
  const { vm, decided } = look(unclaimed, leaving({ pausedAt: now - 100 }), { guestReports: new Map() });
  expect(vm?.phase).toBe("deleting");
  expect(decided.decisions).toContainEqual(silence);
  expect(look(draining(), leaving({ absent: true })).decided.decisions).not.toContainEqual(silence);
});

it("a claim that was taken after the Delete was decided brings back no place of the pool: its guest was given no token", () => {
  const { claimedAt: _claimedAt, ...unclaimed } = deleting({ deletingAt: now - 1_000, deleteAcceptedAt: now - 500 });
  const guestReports = new Map([["vm-one", aReport()]]);
  const counts = (vm: Microvm) => countsAgainstPool(new Draft(aSnapshot({ microvms: [vm], identities: [leaving()], guestReports })), vm);
  expect(counts(unclaimed)).toBe(false);
  expect(counts(deleting({ deleteAcceptedAt: now - 500 }))).toBe(true);
  // One that claimed before is deleted as one that did.
  const { claimedAt: _unknown, ...unread } = draining({ jobDeadlineAt: now, endAskedAt: now - 1_000 });
  expect(look(unread, leaving(), { guestReports }).vm).toMatchObject({ phase: "deleting", claimedAt: aReport().claimedAt });
});

it("one that claimed, and has no runner on record, waits until the forge was searched for one", () => {
  const spare = draining({ identity: false });
  const searched = (sweptAt: number | undefined) => ({ connections: [aConnectionView({ sweptAt })] });
  expect(look(spare, undefined, searched(undefined)).vm?.phase).toBe("draining");
  expect(look(spare, undefined, searched(now - 1_000)).effects).toEqual(["deleteOnHost"]);
  const longAgo = { drainingAt: now - 600_000, identity: false };
  expect(look(draining(longAgo), undefined, { ...searched(undefined), listeningSince: now - 600_000 }).effects).toEqual(["deleteOnHost"]);
  expect(look(draining(longAgo), undefined, { ...searched(undefined), listeningSince: now - 1_000 }).effects).toEqual([]);
  // What the search found is asked what it runs.
  expect(look(spare, leaving(), searched(now - 1_000)).effects).toEqual(["pauseRunner"]);
});

describe("the removal of a microVM that may hold a credential", () => {
  const { runnerId: _runnerId, ...unfound } = leaving();

  it.each([
    ["searches the runner that it does not know", unfound, "findRunner"],
    ["pauses the runner first", leaving(), "pauseRunner"],
    ["asks what it runs when the pause has settled", leaving({ pausedAt: now - 5_000 }), "readRunningJobs"],
    [
      "asks again when the answer is older than the settling",
      leaving({ pausedAt: now - 5_000, runningJobs: { count: 0, at: now - 1_000 } }),
      "readRunningJobs",
    ],
    [
      "asks again while something runs",
      leaving({ pausedAt: now - 60_000, runningJobs: { count: 1, at: now - 10_000 } }),
      "readRunningJobs",
    ],
    ["deletes it when nothing runs", leaving({ pausedAt: now - 6_000, runningJobs: { count: 0, at: now - 500 } }), "deleteOnHost"],
    ["deletes it when the forge does not know its runner", leaving({ absent: true }), "deleteOnHost"],
  ])("%s", (_what, identity, effect) => {
    expect(look(draining(), identity).effects).toEqual([effect]);
  });

  describe("whose runner somebody deleted, and whose guest has started it", () => {
    const started = aReport({ startedAt: now - 3_000 });
    const { runnerId: _id, ...orphan } = leaving({ absent: true });
    const hourAgo = now - 3_600_000;

    it.each<[string, Parameters<typeof look>]>([
      ["waits while its guest is heard: a job may run on it", [draining(), leaving({ absent: true }), {}]],
      ["goes when it is one without a record before, of which nothing is known", [draining(), orphan, {}]],
      [
        "goes when its job is over",
        [draining({ job: "forge/7/1" }), leaving({ absent: true }), { jobs: [aJob({ status: "success", vm: "vm-one" })] }],
      ],
      [
        "goes when its guest has ended",
        [
          draining({ job: "forge/7/1" }),
          leaving({ absent: true }),
          { guestReports: new Map([["vm-one", { ...started, done: { at: now - 10, exitCode: 0, reason: "finished" } }]]) },
        ],
      ],
      [
        "goes when its guest was not heard for a minute",
        [
          draining(),
          leaving({ absent: true }),
          { listeningSince: hourAgo, guestReports: new Map([["vm-one", { ...started, claimedAt: now - 60_000 }]]) },
        ],
      ],
    ])("%s", (what, [vm, identity, rest]) => {
      const { effects } = look(vm, identity, { guestReports: new Map([["vm-one", started]]), ...rest });
      expect(effects).toEqual(what.startsWith("waits") ? [] : ["deleteOnHost"]);
    });
  });

  it("lets the pause settle", () => {
    const { effects, decided } = look(draining(), leaving({ pausedAt: now - 1_000 }));
    expect(effects).toEqual([]);
    expect(decided.wakeAt).toBe(now + 4_000);
  });

  it("does not ask for ever while a long job runs", () => {
    const rest = { jobs: [aJob({ status: "running", runnerId: 100, vm: "vm-one" })] };
    const vm = draining({ job: "forge/7/1" });
    expect(look(vm, leaving({ pausedAt: now - 60_000, runningJobs: { count: 1, at: now - 9_000 } }), rest).effects).toEqual([]);
  });

  it("goes on without the forge half a minute after the deadline, which is the guest's to end its job", () => {
    expect(look(draining({ jobDeadlineAt: now }), leaving()).vm).toMatchObject({ endAskedAt: now, jobDeadlineAt: now + 30_000 });
    expect(look(draining({ jobDeadlineAt: now, endAskedAt: now - 30_000 }), leaving()).effects).toEqual(["deleteOnHost"]);
  });

  it("waits for no guest that never claimed when the deadline has come", () => {
    const guestReports = new Map();
    expect(look(draining({ jobDeadlineAt: now }), leaving(), { guestReports }).effects).toEqual(["deleteOnHost"]);
  });

  it("goes on without the forge a minute after the guest said that it is done", () => {
    const guestReports = new Map([["vm-one", aReport({ done: { at: now - 60_000, exitCode: 0, reason: "finished" } })]]);
    expect(look(draining({ drainingAt: now - 60_000 }), leaving(), { guestReports }).effects).toEqual(["deleteOnHost"]);
  });

  it("is bounded from the moment it is decided on", () => {
    const vm = aVm({ phase: "assigned", identity: true, assignedAt: now - 90_000, committedAt: now - 90_000 });
    expect(look(vm, anIdentity()).vm).toMatchObject({ phase: "draining", jobDeadlineAt: now + 3_660_000 });
  });
});

describe("the removal of a microVM that nobody claimed", () => {
  it("does not wait for the forge", () => {
    const { claimedAt: _claimedAt, ...vm } = draining();
    expect(look(vm, leaving()).effects).toEqual(["deleteOnHost"]);
  });

  it("is over at once when it was never sent", () => {
    const { claimedAt: _claimed, createSentAt: _sent, uid: _uid, createdAt: _created, ...vm } = draining();
    const { vm: after, identity, effects } = look(vm, leaving());
    expect(after).toBeUndefined();
    expect(identity).toMatchObject({ state: "leaving", vmGoneAt: now });
    expect(effects).toEqual(["deleteRunner"]);
  });

  it("forgets a runner that the forge was never asked for", () => {
    const { claimedAt: _claimed, createSentAt: _sent, uid: _uid, createdAt: _created, ...vm } = draining();
    const { runnerId: _runnerId, ...wanted } = leaving({ state: "wanted", attempts: 0 });
    expect(look(vm, wanted).identity).toBeUndefined();
  });
});

describe("deleting on the host", () => {
  it.each([
    ["asks the host to delete it", deleting(), ["deleteOnHost"]],
    ["asks whether it is gone when the host has accepted", deleting({ deleteAcceptedAt: now - 100 }), ["checkGone"]],
  ])("%s", (_what, vm, effects) => {
    expect(look(vm, leaving({ absent: true })).effects).toEqual(effects);
  });

  it("waits for the id that it does not know yet", () => {
    const { uid: _uid, ...vm } = deleting({ createSentAt: now - 1_000 });
    expect(look(vm, leaving({ absent: true }), { hosts: aSnapshot().hosts }).effects).toEqual([]);
  });

  it("ends with the record, its report, an event and the runner", () => {
    const { vm, decided } = look(
      deleting({ absentAt: now - 10 }),
      leaving({ pausedAt: now - 8_000, runningJobs: { count: 0, at: now - 2_000 } }),
    );
    expect(vm).toBeUndefined();
    expect(decided.events.map(({ type }) => type)).toEqual(["MicrovmGone"]);
    expect(decided.decisions).toContainEqual({ kind: "guestReport", key: "vm-one", value: null });
    expect(decided.effects).toContainEqual({ kind: "deleteRunner", ...target });
  });
});

it("lets an address rest for a minute when its microVM is gone, and then forgets that", () => {
  const snapshot = aSnapshot({ microvms: [deleting({ absentAt: now - 10 })] });
  const after = applyPlan(snapshot, plan(snapshot));
  const rests = ({ conditions }: Snapshot) => conditions.filter(({ type }) => type === "Resting");
  expect(rests(after)).toMatchObject([{ subject: { kind: "address", name: "host-a/10.20.0.2" }, until: now + 60_000 }]);
  const later = { ...after, now: now + 60_000 };
  expect(rests(applyPlan(later, plan(later)))).toEqual([]);
});

describe("a microVM that does not go", () => {
  const stuck = { ...deleting({ deletingAt: now - 600_000, deleteAcceptedAt: now - 599_000 }) };
  const identity = leaving({ absent: true });
  const about = (conditions: Snapshot["conditions"]) => conditions.filter(({ type }) => type === "DeleteStuck" || type === "Degraded");

  it("is told of after ten minutes, once, and makes its host degraded", () => {
    const snapshot = aSnapshot({ microvms: [stuck], identities: [identity] });
    const decided = plan(snapshot);
    const after = applyPlan(snapshot, decided);
    expect(about(after.conditions)).toMatchObject([
      { subject: { kind: "host" }, type: "Degraded", status: true, reason: "FR-VM-DELETE-STUCK" },
      { subject: { kind: "microvm", name: "vm-one" }, type: "DeleteStuck", status: true, reason: "FR-VM-DELETE-STUCK" },
    ]);
    expect(decided.events.map(({ type }) => type)).toEqual(["DeleteStuck"]);
    expect(decided.effects.map(({ kind }) => kind)).toContain("checkGone");
    expect(plan(after).events).toEqual([]);
  });

  it("is not told of before", () => {
    const { decided } = look({ ...stuck, deletingAt: now - 599_999 }, identity);
    expect(decided.events).toEqual([]);
    expect(decided.wakeAt).toBe(now + 1);
  });

  it("is forgotten when it is gone", () => {
    const told = applyPlan(aSnapshot({ microvms: [stuck] }), plan(aSnapshot({ microvms: [stuck] }))).conditions;
    const snapshot = { ...aSnapshot({ microvms: [{ ...stuck, absentAt: now }], identities: [identity] }), conditions: told };
    expect(about(applyPlan(snapshot, plan(snapshot)).conditions)).toMatchObject([{ type: "Degraded", status: false }]);
  });
});

describe("runners", () => {
  it("are paused as soon as their job runs", () => {
    const vm = aVm({ phase: "busy", identity: true, job: "forge/7/1", jobDeadlineAt: now + 60_000 });
    const rest = { jobs: [aJob({ status: "running", runnerId: 100, vm: "vm-one" })] };
    expect(look(vm, anIdentity(), rest).decided.effects).toContainEqual({ kind: "pauseRunner", ...target });
  });

  it("that no microVM has are not deleted while they run something", () => {
    const stray = leaving({ vm: "vm-gone", pausedAt: now - 60_000, runningJobs: { count: 1, at: now - 500 } });
    expect(plan(aSnapshot({ identities: [stray] })).effects).toEqual([]);
  });

  it("are kept on record while the forge may have them", () => {
    const { runnerId: _runnerId, ...doubtful } = leaving({ vm: "vm-gone", vmGoneAt: now - 10 });
    expect(plan(aSnapshot({ identities: [doubtful] })).effects).toEqual([{ kind: "findRunner", vm: "vm-gone", connection: "forge" }]);
  });

  it("wait on record for a connection that is no longer declared", () => {
    const snapshot = aSnapshot({ identities: [leaving({ vm: "vm-gone", vmGoneAt: now - 10 })], connections: [], pools: [] });
    expect(plan(snapshot)).toMatchObject({ decisions: [], effects: [] });
  });
});

it("what a guest said goes with its microVM, also when it was written down after that was gone", () => {
  const guestReports = new Map([["vm-gone", aReport({ vm: "vm-gone" })]]);
  const { decisions } = plan(aSnapshot({ microvms: [aVm()], guestReports: new Map([["vm-one", aReport()], ...guestReports]) }));
  expect(decisions.filter(({ kind }) => kind === "guestReport")).toEqual([{ kind: "guestReport", key: "vm-gone", value: null }]);
});
