import { describe, expect, it } from "vitest";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aClassHeldBack, aJob, anIdentity, aPool, aReport, aSnapshot, aVm, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const hour = 3_600_000;
const outcome = (rest: Partial<Snapshot>) => {
  const snapshot = aSnapshot(rest);
  const decided = plan(snapshot);
  return { ...applyPlan(snapshot, decided), events: decided.events.map(({ type }) => type) };
};
const pools = (...names: string[]) => names.map((name) => ({ spec: aPool({ name }), paused: false }));
const assigned = aVm({ phase: "assigned", identity: true, committedAt: now - 6_000, assignedAt: now - 4_000 });
const runnerOf = (vm: string, runnerId: number) => anIdentity({ vm, runnerId });

describe("mapping a job to a pool", () => {
  it.each([
    [["vm"], "small"],
    [["vm", "large"], "large"],
    [["small"], "small"],
  ])("with the tags %j takes the size %s", (tags, size) => {
    expect(outcome({ jobs: [aJob({ tags })] }).jobs).toMatchObject([{ pool: "pool", size }]);
  });

  it("takes the pool that was declared first", () => {
    expect(outcome({ jobs: [aJob()], pools: pools("first", "second") }).jobs).toMatchObject([{ pool: "first" }]);
  });

  it("is made again when the pools change", () => {
    const { jobs } = outcome({ jobs: [aJob({ pool: "removed", size: "huge" })] });
    expect(jobs).toMatchObject([{ pool: "pool", size: "small" }]);
  });

  it("is taken back when no pool takes the job any more", () => {
    const { jobs } = outcome({ jobs: [aJob({ pool: "pool", size: "small" })], pools: [] });
    expect(jobs[0]?.pool).toBeUndefined();
    expect(jobs[0]?.waitingReason?.code).toBe("FR-NO-POOL");
  });
});

describe("a job that runs", () => {
  const running = aJob({ status: "running", runnerId: 100, waitingReason: { code: "FR-WAITING-FOR-MICROVM", message: "" } });

  it("makes the microVM busy whose runner the forge names", () => {
    const { microvms, jobs, events } = outcome({ microvms: [assigned], identities: [anIdentity()], jobs: [running] });
    expect(microvms).toMatchObject([{ phase: "busy", job: "forge/7/1", busyAt: now, jobDeadlineAt: now + 3_660_000 }]);
    expect(jobs).toMatchObject([{ vm: "vm-one", host: "host-a", vmAt: now - 1_000 }]);
    expect(jobs[0]?.waitingReason).toBeUndefined();
    expect(events).toEqual(["JobStarted"]);
  });

  it("may be another one than the microVM was made for", () => {
    const other = aJob({ jobId: 2, tags: ["vm"], status: "running", runnerId: 101 });
    const large = aVm({
      ...assigned,
      name: "vm-large",
      sizeName: "large",
      size: { vcpu: 4, memoryMb: 4096 },
      address: "10.20.0.9/24",
      mac: "02:00:00:00:00:09",
    });
    const waiting = aJob({ jobId: 3, tags: ["vm", "large"] });
    const { microvms, jobs } = outcome({ microvms: [large], identities: [runnerOf("vm-large", 101)], jobs: [other, waiting] });
    expect(microvms.find(({ name }) => name === "vm-large")).toMatchObject({ phase: "busy", job: "forge/7/2" });
    expect(jobs.find(({ jobId }) => jobId === 2)).toMatchObject({ vm: "vm-large", size: "large" });
    expect(microvms.filter(({ phase, sizeName }) => phase === "creating" && sizeName === "large")).toHaveLength(1);
  });

  it("on somebody else's runner is nobody's", () => {
    const { microvms } = outcome({ microvms: [assigned], identities: [anIdentity()], jobs: [{ ...running, runnerId: 7 }] });
    expect(microvms).toMatchObject([{ phase: "assigned" }]);
  });

  it("is waited for on a microVM that was told to go", () => {
    const leaving = aVm({ ...assigned, phase: "draining", drainingAt: now - 10, jobDeadlineAt: now + hour });
    const { microvms } = outcome({ microvms: [leaving], identities: [anIdentity({ state: "leaving" })], jobs: [running] });
    expect(microvms).toMatchObject([{ phase: "draining", job: "forge/7/1" }]);
  });

  it("does not take the place of the first one", () => {
    const busy = aVm({ ...assigned, phase: "busy", job: "forge/7/1", busyAt: now - 10, jobDeadlineAt: now + hour });
    const stolen = aJob({ jobId: 2, status: "running", runnerId: 100 });
    const first = { ...running, vm: "vm-one" };
    const { microvms, jobs } = outcome({ microvms: [busy], identities: [anIdentity({ pausedAt: now - 5 })], jobs: [first, stolen] });
    expect(microvms).toMatchObject([{ job: "forge/7/1" }]);
    expect(jobs.find(({ jobId }) => jobId === 2)).toMatchObject({ vm: "vm-one" });
  });

  it("clears what held its class back", () => {
    const condition = aClassHeldBack({ count: 3 });
    expect(
      outcome({ microvms: [assigned], identities: [anIdentity()], jobs: [running], conditions: [condition] }).conditions.filter(
        ({ type }) => type === condition.type,
      ),
    ).toEqual([]);
  });
});

describe("a job that was over before it was seen", () => {
  it("is joined to its microVM, which goes", () => {
    const over = aJob({ status: "success", runnerId: 100, finishedAt: now - 10 });
    const report = aReport({ done: { at: now - 20, exitCode: 0, reason: "finished" } });
    const { microvms, jobs } = outcome({
      microvms: [assigned],
      identities: [anIdentity()],
      jobs: [over],
      guestReports: new Map([["vm-one", report]]),
    });
    expect(jobs).toMatchObject([{ vm: "vm-one" }]);
    expect(microvms).toMatchObject([{ phase: "draining", job: "forge/7/1" }]);
  });
});

it("counts what was read at a time that is yet to come as read now", () => {
  expect(outcome({ jobs: [aJob({ readAt: now + hour })] }).jobs).toMatchObject([{ readAt: now }]);
});

describe("the memory of finished jobs", () => {
  const over = (jobId: number, finishedMsAgo: number) => aJob({ jobId, status: "success", finishedAt: now - finishedMsAgo });

  it("lasts a day", () => {
    const { jobs } = outcome({ jobs: [over(1, 24 * hour), over(2, 23 * hour)] });
    expect(jobs.map(({ jobId }) => jobId)).toEqual([2]);
  });

  it("holds ten thousand, and gives up the oldest", () => {
    const { jobs } = outcome({ jobs: Array.from({ length: 10_002 }, (_, n) => over(n + 1, 1_000 + n)) });
    expect(jobs).toHaveLength(10_000);
    expect(Math.max(...jobs.map(({ jobId }) => jobId))).toBe(10_000);
  });
});
