import { describe, expect, it } from "vitest";
import { bootsOf } from "../model/image.js";
import type { Microvm } from "../model/microvm.js";
import type { PoolInput } from "../model/pool.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { aConnectionView, aHost, aHostView, aJob, anIdentity, anImage, aPool, aReport, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const pools = (...specs: Partial<PoolInput>[]) => specs.map((spec) => ({ spec: aPool(spec), paused: false }));
const jobs = (count: number, tags = ["vm"], from = 1) =>
  Array.from({ length: count }, (_, n) => aJob({ jobId: from + n, tags, queuedAt: now - 60_000 + from + n }));
const idle = (n: number, vm: Partial<Microvm> = {}) =>
  aVm({ name: `vm-${n}`, address: `10.20.0.${n + 10}/24`, mac: `02:00:00:00:00:${10 + n}`, ...vm });
const committed = (n: number, vm: Partial<Microvm> = {}) =>
  idle(n, { phase: "assigned", identity: true, committedAt: now - 20_000, assignedAt: now - 20_000, ...vm });
const runnerOf = (n: number) => anIdentity({ vm: `vm-${n}`, runnerId: 100 + n });

function decide(rest: Partial<Snapshot>) {
  const before = aSnapshot(rest);
  const { after, rounds } = planUntilDone(before);
  const known = new Set(before.microvms.map(({ name }) => name));
  return {
    made: after.microvms.filter(({ name }) => !known.has(name)),
    phaseOf: (n: number) => after.microvms.find(({ name }) => name === `vm-${n}`)?.phase,
    isCommitted: (n: number) => after.microvms.find(({ name }) => name === `vm-${n}`)?.identity,
    reasons: after.jobs.map((job) => job.waitingReason?.code),
    messages: after.jobs.map((job) => job.waitingReason?.message),
    wakeAt: rounds[rounds.length - 1]?.wakeAt,
    after,
  };
}

describe("a waiting job", () => {
  it("gets a microVM of its own, with a runner that bears its tags", () => {
    const { made, reasons, after } = decide({ jobs: jobs(1) });
    expect(made).toMatchObject([{ phase: "creating", sizeName: "small", identity: true, traceId: aJob().traceId }]);
    expect(after.identities).toMatchObject([{ vm: made[0]?.name, tags: ["vm", "small"], state: "wanted", attempts: 1 }]);
    expect(reasons).toEqual(["FR-WAITING-FOR-MICROVM"]);
  });

  it("takes the idle microVM of its size that there is", () => {
    const { made, isCommitted } = decide({ jobs: jobs(1), microvms: [idle(1)] });
    expect(made).toEqual([]);
    expect(isCommitted(1)).toBe(true);
  });

  it("takes the idle microVM that is furthest on its way", () => {
    const { isCommitted } = decide({ jobs: jobs(1), microvms: [idle(1, { phase: "booting" }), idle(2)] });
    expect([isCommitted(1), isCommitted(2)]).toEqual([false, true]);
  });

  it("does not take an idle microVM of another size", () => {
    const { made } = decide({ jobs: jobs(1, ["vm", "large"]), microvms: [idle(1)] });
    expect(made.map(({ sizeName }) => sizeName)).toEqual(["large"]);
  });

  it("is covered by a microVM that has a runner already", () => {
    const { made, reasons } = decide({ jobs: jobs(1), microvms: [committed(1)], identities: [runnerOf(1)] });
    expect(made).toEqual([]);
    expect(reasons).toEqual(["FR-WAITING-FOR-MICROVM"]);
  });

  it("may be the one that a guest ran which ended before anything was heard of it", () => {
    const vm = committed(1, { phase: "draining", drainingAt: now - 100, jobDeadlineAt: now + 60_000 });
    const guestReports = new Map([["vm-1", aReport({ vm: "vm-1", done: { at: now - 100, exitCode: 0, reason: "finished" } })]]);
    expect(decide({ jobs: jobs(1), microvms: [vm], identities: [runnerOf(1)], guestReports }).made).toEqual([]);
  });

  it.each<[string, string, Partial<Snapshot>]>([
    ["its pool is paused", "FR-POOL-LIMIT", { pools: [{ spec: aPool(), paused: true }] }],
    ["its pool is full", "FR-POOL-LIMIT", { pools: pools({ maxMicrovms: 1 }), microvms: [committed(1, { phase: "busy" })] }],
    ["no pool takes its tags", "FR-NO-POOL", { pools: pools({ tags: ["other"] }) }],
    ["the image is not declared", "FR-NOT-FOUND", { images: [] }],
    ["the forge was not read for a minute", "FR-CONNECTION-STALE", { connections: [aConnectionView({ readAt: now - 60_000 })] }],
    ["no host is declared", "FR-HOSTS-UNKNOWN", { hosts: [] }],
    ["no host could be read", "FR-HOSTS-UNKNOWN", { hosts: [aHostView(aHost(), [], { observation: undefined })] }],
    ["every host is cordoned", "FR-NO-CAPACITY", { hosts: [aHostView(aHost(), [], { standing: "cordoned" })] }],
    ["no host has room", "FR-NO-CAPACITY", { hosts: [aHostView(aHost({ capacity: { vcpu: 1, memoryMb: 512, microvms: 1 } }))] }],
    ["no host bears the labels", "FR-NO-CAPACITY", { pools: pools({ placement: { selector: { disk: "nvme" } } }) }],
  ])("is told that %s", (_what, code, rest) => {
    const { made, reasons } = decide({ jobs: jobs(1), ...rest });
    expect(made).toEqual([]);
    expect(reasons).toEqual([code]);
  });

  it("of a removed connection is forgotten", () => {
    expect(decide({ jobs: [aJob({ connection: "removed" })] }).after.jobs).toEqual([]);
  });
});

describe("twenty jobs and a pool of two", () => {
  it("get two microVMs, the oldest first, and eighteen reasons", () => {
    const { made, reasons } = decide({ jobs: jobs(20), pools: pools({ maxMicrovms: 2 }) });
    expect(made).toHaveLength(2);
    expect(reasons).toEqual([...Array(2).fill("FR-WAITING-FOR-MICROVM"), ...Array(18).fill("FR-POOL-LIMIT")]);
  });

  it("are served by age, whatever their size", () => {
    const { made } = decide({ jobs: [...jobs(1, ["vm", "large"], 1), ...jobs(3, ["vm"], 2)], pools: pools({ maxMicrovms: 2 }) });
    expect(made.map(({ sizeName }) => sizeName).sort()).toEqual(["large", "small"]);
  });
});

describe("a job that asks for a size by its tag", () => {
  const limited = pools({ limits: { vcpu: 8, memoryMb: 8192 } });

  it("gets a microVM of that size with a runner for that tag", () => {
    const { made, after } = decide({ jobs: jobs(1, ["vm", "2cpu-3gb"]), pools: limited });
    expect(made).toMatchObject([{ sizeName: "2cpu-3gb", size: { vcpu: 2, memoryMb: 3072 } }]);
    expect(after.identities).toMatchObject([{ tags: ["vm", "2cpu-3gb"] }]);
  });

  it("leaves one that nobody waits for any more to be removed", () => {
    const vm = committed(1, { sizeName: "2cpu-3gb", size: { vcpu: 2, memoryMb: 3072 } });
    const rest = { microvms: [vm], identities: [{ ...runnerOf(1), tags: ["vm", "2cpu-3gb"] }], pools: limited };
    expect(decide({ ...rest, jobs: jobs(1, ["vm", "2cpu-3gb"]) }).phaseOf(1)).toBe("assigned");
    expect(decide(rest).phaseOf(1)).toBe("draining");
    expect(decide({ ...rest, jobs: jobs(1, ["vm", "2cpu-3gb"]), pools: pools({}) }).phaseOf(1)).toBe("draining");
  });

  it.each([
    ["more than the pool's limits", "16cpu-3gb"],
    ["what no machine has", "3cpu-3gb"],
  ])("is told so when it asks for %s", (_what, tag) => {
    const { made, reasons } = decide({ jobs: jobs(1, ["vm", tag]), pools: limited });
    expect(made).toEqual([]);
    expect(reasons).toEqual(["FR-SIZE-REFUSED"]);
  });
});

describe("pools that share a host", () => {
  const one = [aHostView(aHost({ capacity: { vcpu: 16, memoryMb: 32_768, microvms: 1 } }))];

  it("are served by priority", () => {
    const both = pools({ name: "low", tags: ["low"] }, { name: "high", tags: ["high"], priority: 1 });
    const { made } = decide({ hosts: one, pools: both, jobs: [...jobs(1, ["low"]), ...jobs(1, ["high"], 2)] });
    expect(made.map(({ pool }) => pool)).toEqual(["high"]);
  });

  it("give up what idles for a job that has no room", () => {
    const both = pools({ minIdle: 1 }, { name: "other", tags: ["other"] });
    const microvms = [idle(1)];
    const full = [
      aHostView(aHost({ capacity: { vcpu: 16, memoryMb: 32_768, microvms: 1 } }), [
        { uid: "uid-vm-1", name: "vm-1", state: "created", retry: 0, mark: undefined },
      ]),
    ];
    const { phaseOf, reasons } = decide({ hosts: full, pools: both, microvms, jobs: jobs(1, ["other"]) });
    expect(phaseOf(1)).toBe("deleting");
    expect(reasons).toEqual(["FR-NO-CAPACITY"]);
  });

  it("keep what idles when its room would not do", () => {
    const both = pools({ minIdle: 1 }, { name: "other", tags: ["other"], size: "large" });
    const small = [
      aHostView(aHost({ capacity: { vcpu: 2, memoryMb: 2048, microvms: 1 } }), [
        { uid: "uid-vm-1", name: "vm-1", state: "created", retry: 0, mark: undefined },
      ]),
    ];
    expect(decide({ hosts: small, pools: both, microvms: [idle(1)], jobs: jobs(1, ["other"]) }).phaseOf(1)).toBe("parked");
  });

  it("keep what idles in a pool of a higher priority", () => {
    const both = pools({ minIdle: 1, priority: 1 }, { name: "other", tags: ["other"] });
    const full = [
      aHostView(aHost({ capacity: { vcpu: 16, memoryMb: 32_768, microvms: 1 } }), [
        { uid: "uid-vm-1", name: "vm-1", state: "created", retry: 0, mark: undefined },
      ]),
    ];
    expect(decide({ hosts: full, pools: both, microvms: [idle(1)], jobs: jobs(1, ["other"]) }).phaseOf(1)).toBe("parked");
  });
});

describe("a full pool", () => {
  it("gives up one idle microVM of another size for each job that lacks a place, and no more", () => {
    const microvms = [idle(1), idle(2), idle(3)];
    const { phaseOf } = decide({ jobs: jobs(1, ["vm", "large"]), microvms, pools: pools({ maxMicrovms: 3, minIdle: 3 }) });
    expect([1, 2, 3].map(phaseOf).sort()).toEqual(["deleting", "parked", "parked"]);
  });

  it("does not fill the place again that it made for a job", () => {
    const leaving = idle(1, { phase: "deleting", deleteAcceptedAt: now - 10, drainingAt: now - 20 });
    const { made } = decide({ jobs: jobs(1, ["vm", "large"]), microvms: [leaving, idle(2)], pools: pools({ maxMicrovms: 2, minIdle: 2 }) });
    expect(made.map(({ sizeName }) => sizeName)).toEqual(["large"]);
  });
});

describe("microVMs that are too many", () => {
  const cancelled = (leftMsAgo: number) =>
    aJob({ status: "canceled", pool: "pool", size: "small", readAt: now - leftMsAgo, finishedAt: now - leftMsAgo });
  const booting = committed(1, { phase: "booting" });

  it("are kept a little for the next job when theirs was cancelled while they booted", () => {
    const { phaseOf, wakeAt } = decide({ microvms: [booting], identities: [runnerOf(1)], jobs: [cancelled(2_000)] });
    expect(phaseOf(1)).toBe("booting");
    expect(wakeAt).toBeLessThanOrEqual(now + 8_000);
  });

  it("serve that next job", () => {
    const { made } = decide({ microvms: [booting], identities: [runnerOf(1)], jobs: [cancelled(2_000), ...jobs(1, ["vm"], 2)] });
    expect(made).toEqual([]);
  });

  it("go when none comes", () => {
    const { phaseOf } = decide({ microvms: [committed(1)], identities: [runnerOf(1)], jobs: [cancelled(10_000)] });
    expect(phaseOf(1)).toBe("draining");
  });

  it("go, those first that are least far on their way", () => {
    const microvms = [committed(1), committed(2, { phase: "booting" })];
    const { phaseOf } = decide({ microvms, identities: [runnerOf(1), runnerOf(2)], jobs: jobs(1) });
    expect([phaseOf(1), phaseOf(2)]).toEqual(["assigned", "draining"]);
  });
});

describe("microVMs that are kept ready", () => {
  it("are made without a runner", () => {
    const { made, after } = decide({ pools: pools({ minIdle: 2 }) });
    expect(made).toHaveLength(2);
    expect(after.identities).toEqual([]);
  });

  it("are made again as soon as one is given to a job", () => {
    const { made, isCommitted } = decide({ pools: pools({ minIdle: 1 }), microvms: [idle(1)], jobs: jobs(1) });
    expect(isCommitted(1)).toBe(true);
    expect(made).toMatchObject([{ identity: false }]);
  });

  it.each([
    ["go after their idle time", 301_000, "deleting"],
    ["stay within it", 200_000, "parked"],
  ])("%s when they are more than wanted", (_what, idleMs, phase) => {
    expect(decide({ microvms: [idle(1, { claimedAt: now - idleMs })] }).phaseOf(1)).toBe(phase);
  });

  it.each<[string, Partial<Microvm>, Partial<Snapshot>]>([
    ["pool was removed", {}, { pools: [] }],
    ["size was removed", { sizeName: "medium" }, {}],
    ["size was changed", { size: { vcpu: 2, memoryMb: 1024 } }, {}],
    ["image was changed", { image: "older" }, {}],
    [
      "host is drained",
      {},
      {
        hosts: [
          aHostView(aHost(), [{ uid: "uid-vm-1", name: "vm-1", state: "created", retry: 0, mark: undefined }], { standing: "draining" }),
        ],
      },
    ],
  ])("go when their %s", (_what, vm, rest) => {
    expect(decide({ microvms: [idle(1, vm)], pools: pools({ minIdle: 1 }), ...rest }).phaseOf(1)).toBe("deleting");
  });

  it("are let go when their image stands for something else now, and not while they have a runner", () => {
    const { phaseOf } = decide({
      microvms: [idle(1, { boots: "other" }), committed(2, { boots: "other" }), idle(3, { boots: bootsOf(anImage()) })],
      identities: [runnerOf(2)],
      jobs: jobs(1),
      pools: pools({ minIdle: 2 }),
    });
    expect([phaseOf(1), phaseOf(2), phaseOf(3)]).toEqual(["deleting", "assigned", "parked"]);
  });

  it("are let go at once by a pool that drains, while those with a runner may still get a job", () => {
    const { phaseOf } = decide({
      jobs: jobs(1),
      microvms: [idle(1), committed(2)],
      identities: [runnerOf(2)],
      pools: [{ spec: aPool({ minIdle: 2 }), paused: true, draining: true }],
    });
    expect([phaseOf(1), phaseOf(2)]).toEqual(["deleting", "assigned"]);
  });

  it("are not made by a paused pool", () => {
    expect(decide({ pools: [{ spec: aPool({ minIdle: 2 }), paused: true }] }).made).toEqual([]);
  });
});

describe("what counts against a pool", () => {
  const full = (vm: Partial<Microvm>, runner: Parameters<typeof anIdentity>[0]) =>
    decide({
      jobs: jobs(1),
      microvms: [committed(1, { drainingAt: now - 10, jobDeadlineAt: now + 600_000, ...vm })],
      identities: [anIdentity({ vm: "vm-1", state: "leaving", ...runner })],
      pools: pools({ maxMicrovms: 1 }),
    }).made.length === 0;

  it.each<[string, Partial<Microvm>, Parameters<typeof anIdentity>[0], boolean]>([
    ["one whose Delete is not accepted", { phase: "deleting" }, { pausedAt: now - 10 }, true],
    ["one whose Delete is accepted while its runner may take a job", { phase: "deleting", deleteAcceptedAt: now - 5 }, {}, true],
    [
      "none whose Delete is accepted and whose runner is paused",
      { phase: "deleting", deleteAcceptedAt: now - 5 },
      { pausedAt: now - 10 },
      false,
    ],
    [
      "none that is lost and whose runner is paused",
      { phase: "draining", failure: { code: "FR-GUEST-LOST", message: "" } },
      { pausedAt: now - 10 },
      false,
    ],
    ["one that is lost while its runner may take a job", { phase: "draining", failure: { code: "FR-GUEST-LOST", message: "" } }, {}, true],
  ])("is %s", (_what, vm, runner, expected) => {
    expect(full(vm, runner)).toBe(expected);
  });
});

describe("what was not sent yet", () => {
  it("finds another host when its own cannot be used", () => {
    const { claimedAt: _claimed, createSentAt: _sent, uid: _uid, createdAt: _created, ...base } = committed(1, { phase: "allocated" });
    const { runnerId: _runnerId, ...wanted } = runnerOf(1);
    const hosts = [aHostView(aHost(), [], { observation: undefined }), aHostView(aHost({ name: "host-b" }))];
    const { made, phaseOf } = decide({ microvms: [base], identities: [{ ...wanted, state: "wanted", attempts: 0 }], hosts, jobs: jobs(1) });
    expect(phaseOf(1)).toBeUndefined();
    expect(made).toMatchObject([{ host: "host-b" }]);
  });
});
