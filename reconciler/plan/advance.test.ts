import { describe, expect, it } from "vitest";
import type { GuestReport } from "../model/front-door.js";
import type { Microvm } from "../model/microvm.js";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aConnectionView, aHost, aHostView, aJob, anIdentity, aPool, aReport, aSnapshot, aVm, now, shownVm } from "./snapshot.fixture.js";
import type { ObservedMicrovm, Snapshot } from "./snapshot.js";

const key = "forge/7/1";
const keepsNothingWarm = [{ spec: aPool({ idleTimeS: 3600 }), paused: false }];

/** The microVM after one plan; undefined when it is gone. */
function next(vm: Microvm, rest: Partial<Snapshot> = {}): Microvm | undefined {
  const snapshot = aSnapshot({ microvms: [vm], pools: keepsNothingWarm, ...rest });
  return applyPlan(snapshot, plan(snapshot)).microvms.find(({ name }) => name === vm.name);
}

const seen = (...shown: ObservedMicrovm[]) => [aHostView(aHost(), shown)];
const unclaimed = (vm: Partial<Microvm> = {}) => {
  const { claimedAt: _claimedAt, ...rest } = aVm({ phase: "creating", ...vm });
  return rest;
};
const inDoubt = (sentMsAgo: number) => {
  const { uid: _uid, createdAt: _createdAt, ...rest } = unclaimed({ createSentAt: now - sentMsAgo });
  return rest;
};
const busy = (vm: Partial<Microvm> = {}) =>
  aVm({
    phase: "busy",
    identity: true,
    committedAt: now - 9_000,
    assignedAt: now - 4_000,
    busyAt: now - 3_000,
    job: key,
    jobDeadlineAt: now + 60_000,
    ...vm,
  });
const withJob = (status: "running" | "success", report: Partial<GuestReport> = {}) => ({
  jobs: [aJob({ status, runnerId: 100, vm: "vm-one", pool: "pool", size: "small" })],
  identities: [anIdentity()],
  guestReports: new Map([["vm-one", aReport(report)]]),
});
const done = (msAgo: number) => ({ done: { at: now - msAgo, exitCode: 0, reason: "finished" as const } });

describe("what a host shows", () => {
  it("boots a microVM that the host calls created", () => {
    expect(next(unclaimed())?.phase).toBe("booting");
  });

  it("waits while the host works on it", () => {
    expect(next(unclaimed(), { hosts: seen(shownVm({ state: "pending" })) })?.phase).toBe("creating");
  });

  it.each([
    ["says that it failed", shownVm({ state: "failed", retry: 11 })],
    ["tries again and again", shownVm({ state: "pending", retry: 3 })],
  ])("gives up a microVM whose host %s", (_what, shown) => {
    const vm = next(unclaimed(), { hosts: seen(shown) });
    expect(vm).toMatchObject({ phase: "deleting", failure: { code: "FR-VM-CREATE-FAILED" } });
  });

  it.each<[string, ObservedMicrovm["failedBetween"], RegExp]>([
    ["its image, when it failed at once", { by: now - 9_700 }, /3 times in vain, and failed at once: probably .* of image "image"$/],
    [
      "its bridge, when that took seconds",
      { from: now - 7_700, by: now - 1_000 },
      /failed after 2 s or more: probably its bridge is missing/,
    ],
    [
      "nobody knows what, when it was not looked at in time",
      { by: now - 1_000 },
      /does not say why, its log does: an image .* or a bridge/,
    ],
    ["nobody knows what", undefined, /3 times in vain; it does not say why, its log does$/],
  ])("supposes the reason why the host does not create it to be %s", (_what, failedBetween, message) => {
    const shown = shownVm({ state: "pending", retry: 3, failedBetween });
    expect(next(unclaimed(), { hosts: seen(shown) })?.failure?.message).toMatch(message);
  });

  it("waits for as many tries as the pool says", () => {
    const rest = { hosts: seen(shownVm({ state: "pending", retry: 3 })), pools: [{ spec: aPool({ createTries: 4 }), paused: false }] };
    expect(next(unclaimed(), rest)?.phase).toBe("creating");
  });

  it("takes a microVM for vanished that a later list does not show", () => {
    expect(next(aVm(), { hosts: seen() })).toBeUndefined();
  });

  it("does not miss a microVM in a list that was asked for before it was made", () => {
    expect(next(unclaimed({ createdAt: now - 500 }), { hosts: seen() })?.phase).toBe("creating");
  });

  it("takes nothing for gone while the host was never read", () => {
    expect(next(aVm(), { hosts: [aHostView(aHost(), [], { observation: undefined })] })).toMatchObject({ phase: "parked" });
  });

  it("takes what stands on a forgotten host for gone", () => {
    expect(next(aVm(), { hosts: [aHostView(aHost(), [shownVm()], { standing: "forgotten" })] })).toBeUndefined();
  });

  it("calls no failure what vanished after its guest had ended", () => {
    const snapshot = aSnapshot({ microvms: [busy()], hosts: seen(), ...withJob("running", done(1_000)) });
    expect(plan(snapshot).events.map(({ type }) => type)).not.toContain("MicrovmFailed");
  });
});

describe("a Create whose answer was lost", () => {
  it("is found by its name", () => {
    expect(next(inDoubt(2_000), { hosts: seen(shownVm({ uid: "late" })) })).toMatchObject({ uid: "late" });
  });

  it("is waited for while it may still arrive", () => {
    expect(next(inDoubt(15_000), { hosts: seen() })).toMatchObject({ phase: "creating" });
  });

  it("is given up when a list that must show it does not", () => {
    expect(next(inDoubt(25_000), { hosts: seen() })).toBeUndefined();
  });

  it("is given up when the host cannot be listed either, and kept until it can", () => {
    const vm = next(inDoubt(31_000), { hosts: [aHostView(aHost(), [], { observation: undefined })] });
    expect(vm).toMatchObject({ phase: "deleting", failure: { code: "FR-HOST-UNREACHABLE" } });
  });

  it("is left alone while it is under way", () => {
    const effects = new Map([["host:vm-one", { state: "in-flight" }]] as const);
    expect(next(inDoubt(25_000), { hosts: seen(), effects })).toMatchObject({ phase: "creating" });
  });

  it("makes its host be listed every second", () => {
    const observation = { startedAt: now - 1_100, at: now - 1_000, microvms: new Map() };
    const { effects } = plan(aSnapshot({ microvms: [inDoubt(2_000)], hosts: [aHostView(aHost(), [], { observation })] }));
    expect(effects).toContainEqual({ kind: "listHost", host: "host-a" });
  });
});

describe("what a guest says", () => {
  it("parks a microVM that was claimed", () => {
    expect(next(unclaimed({ phase: "booting" }), { guestReports: new Map([["vm-one", aReport()]]) })).toMatchObject({
      phase: "parked",
      claimedAt: now - 5_000,
    });
  });

  it("assigns it when its runner is there", () => {
    const vm = aVm({ identity: true, committedAt: now - 100 });
    expect(next(vm, { identities: [anIdentity()], jobs: [aJob()] })).toMatchObject({ phase: "assigned", assignedAt: now });
  });

  it.each(["FR-GUEST-RESTARTED", "FR-GUEST-INCIDENT"] as const)("removes a microVM with %s", (code) => {
    const guestReports = new Map([["vm-one", aReport({ fault: { at: now - 10, code } })]]);
    expect(next(busy(), { ...withJob("running"), guestReports })).toMatchObject({ phase: "draining", failure: { code } });
  });

  it("forgets the token when the runner has started", () => {
    const snapshot = aSnapshot({ microvms: [busy()], ...withJob("running", { startedAt: now - 100 }) });
    expect(applyPlan(snapshot, plan(snapshot)).identities[0]?.sealedToken).toBeUndefined();
  });

  it("ends a microVM whose guest ended before a job was known, and asks the forge at once what it ran", () => {
    const vm = aVm({ phase: "assigned", identity: true, assignedAt: now - 4_000, committedAt: now - 5_000 });
    const { jobs: _jobs, ...rest } = withJob("running", done(10));
    expect(next(vm, { ...rest, jobs: [aJob()] })?.phase).toBe("draining");
    const settled = { ...anIdentity({ pausedAt: now - 9_000, runningJobs: { count: 0, at: now - 1_000 } }) };
    const snapshot = aSnapshot({
      microvms: [vm],
      ...rest,
      identities: [settled],
      jobs: [aJob()],
      connections: [aConnectionView({ polledAt: now - 100 })],
    });
    expect(plan(snapshot).effects).toContainEqual({ kind: "poll", connection: "forge" });
  });
});

describe("deadlines", () => {
  const silent = {
    heardAt: new Map([["vm-one", now - 61_000]]),
    guestReports: new Map([["vm-one", aReport({ claimedAt: now - 90_000 })]]),
  };

  it.each([
    [
      "a microVM that nobody claimed in time",
      unclaimed({ phase: "booting", createSentAt: now - 120_000 }),
      { guestReports: new Map() },
      "FR-VM-BOOT-TIMEOUT",
    ],
    ["a guest that is silent", aVm(), silent, "FR-GUEST-LOST"],
    ["a job that is over its time", busy({ jobDeadlineAt: now }), withJob("running"), "FR-JOB-TIMEOUT"],
    [
      "a runner that takes no job, although its guest is heard",
      aVm({ phase: "assigned", identity: true, assignedAt: now - 601_000, committedAt: now - 602_000 }),
      {
        jobs: [aJob()],
        identities: [anIdentity()],
        heardAt: new Map([["vm-one", now - 1_000]]),
        guestReports: new Map([["vm-one", aReport({ startedAt: now - 600_000 })]]),
      },
      "FR-VM-NO-JOB",
    ],
    ["a guest that ended over a running job", busy(), withJob("running", done(60_000)), "FR-GUEST-LOST"],
  ])("gives up %s", (_what, vm, rest, code) => {
    expect(next(vm, rest)?.failure?.code).toBe(code);
  });

  it("tell the guest of a job that is over its time to end it, before its microVM is removed", () => {
    const vm = next(busy({ jobDeadlineAt: now }), withJob("running"));
    expect(vm).toMatchObject({ phase: "draining", endAskedAt: now, jobDeadlineAt: now + 30_000 });
  });

  it("count a job's time from the first `running` that is known, not from when it was heard of", () => {
    const learned = (startedAt: number) =>
      next(aVm({ phase: "assigned", identity: true, assignedAt: now - 600_000, committedAt: now - 700_000 }), {
        jobs: [aJob({ status: "running", runnerId: 100, startedAt })],
        identities: [anIdentity()],
      });
    expect(learned(now - 300_000)).toMatchObject({ phase: "busy", busyAt: now, jobDeadlineAt: now - 300_000 + 3_660_000 });
  });

  it("count no job's time from before its runner was handed out, or from the future, whatever the forge's clock says", () => {
    const learned = (startedAt: number) =>
      next(aVm({ phase: "assigned", identity: true, assignedAt: now - 600_000, committedAt: now - 700_000 }), {
        jobs: [aJob({ status: "running", runnerId: 100, startedAt })],
        identities: [anIdentity()],
      })?.jobDeadlineAt;
    expect(learned(now - 86_400_000)).toBe(now - 600_000 + 3_660_000);
    expect(learned(now + 86_400_000)).toBe(now + 3_660_000);
  });

  it.each([
    ["claims", unclaimed({ phase: "booting", createSentAt: now - 120_000 }), { guestReports: new Map<string, GuestReport>() }],
    ["heartbeats", aVm(), silent],
  ])("count %s only since this leader listens", (_what, vm, rest) => {
    expect(next(vm, { ...rest, listeningSince: now - 1_000 })?.failure).toBeUndefined();
  });

  it("of booting do not run while the host has not shown the microVM", () => {
    const { uid: _uid, ...doubtful } = unclaimed({ phase: "creating", createSentAt: now - 15_000 });
    const pools = [{ spec: aPool({ bootTimeoutS: 10 }), paused: false }];
    expect(next(doubtful, { guestReports: new Map(), pools })?.failure).toBeUndefined();
  });

  it("of a Create in doubt run only since this leader listens: that of the one before may still be under way", () => {
    const { uid: _uid, ...doubtful } = unclaimed({ phase: "creating", createSentAt: now - 120_000 });
    const hosts = [aHostView(undefined, [])];
    const seen = (listeningSince: number) => next(doubtful, { guestReports: new Map(), hosts, listeningSince });
    expect(seen(now - 5_000)).toMatchObject({ phase: "creating" });
    // By then it is certain that there is nothing to be removed.
    expect(seen(now - 60_000)).toBeUndefined();
  });

  it("does not blame a guest that ended when the forge could not be read since", () => {
    const rest = { ...withJob("running", done(60_000)), connections: [aConnectionView({ readAt: now - 90_000, polledAt: now - 90_000 })] };
    const vm = next(busy(), rest);
    expect(vm).toMatchObject({ phase: "deleting" });
    expect(vm?.failure).toBeUndefined();
  });

  it("keeps a long job whose forge cannot be read, while its guest is heard", () => {
    const rest = { ...withJob("running"), connections: [aConnectionView({ readAt: now - 3_500_000, polledAt: now - 3_500_000 })] };
    const heardAt = new Map([["vm-one", now - 5_000]]);
    expect(next(busy({ busyAt: now - 3_540_000 }), { ...rest, heardAt })?.phase).toBe("busy");
  });

  it("ends a microVM whose job the forge calls over", () => {
    expect(next(busy(), withJob("success"))).toMatchObject({ phase: "draining" });
  });
});

describe("the end of a job", () => {
  it("is learned from the forge when that tells first", () => {
    const vm = next(busy(), withJob("success"));
    expect(vm).toMatchObject({ phase: "draining" });
    expect(vm?.failure).toBeUndefined();
  });

  it("is learned from the guest when that tells first, and the forge is given a minute to agree", () => {
    expect(next(busy(), withJob("running", done(100)))?.phase).toBe("busy");
    const agreed = next(busy(), withJob("success", done(30_000)));
    expect(agreed).toMatchObject({ phase: "draining" });
    expect(agreed?.failure).toBeUndefined();
  });
});
