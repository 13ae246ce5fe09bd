import { describe, expect, it } from "vitest";
import type { GuestReport } from "../model/front-door.js";
import type { Identity } from "../model/identity.js";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { VmLoss } from "../model/vm-loss.js";
import { applyPlan, planUntilDone } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aHost, aHostView, aJob, anIdentity, aPool, aReport, aSnapshot, aVm, now, shownVm } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const minute = 60_000;
const busy = (vm: Partial<Microvm> = {}) =>
  aVm({ phase: "busy", identity: true, busyAt: now - 9_000, job: "forge/7/1", jobDeadlineAt: now + 3_600_000, ...vm });
const running = (job: Partial<Job> = {}) =>
  aJob({ status: "running", runnerId: 100, vm: "vm-one", pool: "pool", size: "small", pipelineId: 5, ...job });
const aLoss = (loss: Partial<VmLoss> = {}): VmLoss => ({
  at: now - 5_000,
  code: "FR-GUEST-LOST",
  message: "its guest was not heard for 60 s",
  policy: "cancel-and-retry",
  confirmedAt: now - 4_000,
  ...loss,
});
const id = { connection: "forge", projectId: 7, jobId: 1 };

/** What is asked of the forge about the job, and its record after the plan. */
function decide(rest: Partial<Snapshot> = {}) {
  const snapshot = aSnapshot({
    microvms: [busy()],
    identities: [anIdentity({ pausedAt: now - 8_000 })],
    jobs: [running()],
    pools: [{ spec: aPool({ onVmLoss: "cancel-and-retry", idleTimeS: 3600 }), paused: false }],
    ...rest,
  });
  const { after, rounds } = planUntilDone(snapshot);
  const asked = rounds.flatMap(({ effects }) => effects).filter(({ kind }) => ["confirmLoss", "cancelJob", "retryJob"].includes(kind));
  const again = plan(after);
  expect({ decisions: again.decisions, effects: again.effects }).toEqual({ decisions: [], effects: [] });
  return {
    asked,
    job: after.jobs.find(({ jobId }) => jobId === 1),
    events: rounds.flatMap(({ events }) => events.map(({ type }) => type)),
  };
}

const silent = { guestReports: new Map([["vm-one", aReport({ claimedAt: now - 90_000 })]]), heardAt: new Map([["vm-one", now - 61_000]]) };
const reporting = (report: Partial<GuestReport>) => ({ guestReports: new Map([["vm-one", aReport(report)]]) });
const done = (msAgo: number) => reporting({ done: { at: now - msAgo, exitCode: 0, reason: "finished" } });
const leaving = busy({ phase: "draining", drainingAt: now - 1_000 });

describe("a job whose microVM is lost", () => {
  it.each<[string, string, Partial<Snapshot>]>([
    ["its guest is silent", "FR-GUEST-LOST", silent],
    ["its guest is silent, and it was told to go before", "FR-GUEST-LOST", { ...silent, microvms: [leaving] }],
    ["its guest ended a minute ago", "FR-GUEST-LOST", done(minute)],
    ["its guest ended a minute ago, and it was told to go before", "FR-GUEST-LOST", { ...done(minute), microvms: [leaving] }],
    ["its guest booted again", "FR-GUEST-RESTARTED", reporting({ fault: { at: now - 10, code: "FR-GUEST-RESTARTED" } })],
    ["its host no longer shows it", "FR-VM-VANISHED", { hosts: [aHostView(aHost(), [])] }],
    ["its host is forgotten", "FR-VM-VANISHED", { hosts: [aHostView(aHost(), [shownVm()], { standing: "forgotten" })] }],
    ["it is gone from the records", "FR-VM-VANISHED", { microvms: [] }],
  ])("is asked for once more when %s", (_what, code, rest) => {
    const { asked, job } = decide(rest);
    expect(asked).toEqual([{ kind: "confirmLoss", ...id }]);
    expect(job?.vmLoss).toMatchObject({ at: now, code, policy: "cancel-and-retry" });
    expect(job?.vmLoss?.confirmedAt).toBeUndefined();
  });

  it.each<[string, Partial<Snapshot>]>([
    ["its guest is heard", {}],
    ["its guest ended just now", done(59_000)],
    ["another secret claimed it, and its job may run", reporting({ fault: { at: now - 10, code: "FR-GUEST-INCIDENT" } })],
    ["its time is up, and it is not gone yet", { microvms: [busy({ jobDeadlineAt: now })] }],
    ["the silence is the leader's own", { ...silent, listeningSince: now - 1_000 }],
    ["nobody knows that the job runs", { jobs: [running({ status: "success" })], microvms: [] }],
    ["no microVM of ours runs it", { jobs: [aJob({ status: "running", runnerId: 9 })], microvms: [] }],
  ])("is none while %s", (_what, rest) => {
    const { asked, job } = decide(rest);
    expect(asked).toEqual([]);
    expect(job?.vmLoss).toBeUndefined();
  });

  it.each<[VmLoss["policy"], object[]]>([
    ["report", []],
    ["cancel", [{ kind: "cancelJob", ...id, force: false }]],
    ["cancel-and-retry", [{ kind: "cancelJob", ...id, force: false }]],
  ])("is, with the policy %s, cancelled or not when the forge has confirmed that it runs", (policy, expected) => {
    const { asked, job } = decide({ ...silent, jobs: [running({ vmLoss: aLoss({ policy }) })] });
    expect(asked).toEqual(expected);
    expect(job?.vmLoss?.cancelAskedAt).toBe(expected.length === 0 ? undefined : now);
  });

  it("is cancelled by force when its runner does not answer for two minutes, and not before", () => {
    const canceling = (askedMsAgo: number) =>
      decide({ microvms: [], jobs: [running({ status: "canceling", vmLoss: aLoss({ cancelAskedAt: now - askedMsAgo }) })] });
    expect(canceling(119_000).asked).toEqual([]);
    const { asked, job } = canceling(2 * minute);
    expect(asked).toEqual([{ kind: "cancelJob", ...id, force: true }]);
    expect(job?.vmLoss).toMatchObject({ cancelAskedAt: now - 2 * minute, forceAskedAt: now });
  });

  it("is retried when it was cancelled, and that is written down first", () => {
    const cancelled = running({ status: "canceled", vmLoss: aLoss({ cancelAskedAt: now - 1_000 }) });
    const { asked, job } = decide({ microvms: [], jobs: [cancelled] });
    expect(asked).toEqual([{ kind: "retryJob", ...id }]);
    expect(job?.vmLoss?.retryAskedAt).toBe(now);
  });

  it("is retried once for its name in its pipeline", () => {
    const cancelled = running({ status: "canceled", vmLoss: aLoss({ cancelAskedAt: now - 1_000 }) });
    const before = running({
      jobId: 2,
      status: "canceled",
      vmLoss: aLoss({ cancelAskedAt: now - 9_000, retryAskedAt: now - 8_000, retriedAs: 1 }),
    });
    const { asked, job, events } = decide({ microvms: [], jobs: [cancelled, before] });
    expect(asked).toEqual([]);
    expect(job?.vmLoss?.givenUp?.code).toBe("FR-JOB-RETRIED-BEFORE");
    expect(events).toContain("LostJobLeft");
    for (const other of [
      { ...before, name: "another" },
      { ...before, pipelineId: 6 },
      { ...before, projectId: 8 },
    ])
      expect(decide({ microvms: [], jobs: [cancelled, other] }).asked).toEqual([{ kind: "retryJob", ...id }]);
  });

  it("is remembered for as long as its retry may run", () => {
    const retried = running({ status: "canceled", finishedAt: now - 30 * 3_600_000, vmLoss: aLoss({ retryAskedAt: now, retriedAs: 2 }) });
    expect(decide({ microvms: [], jobs: [retried] }).job).toBeDefined();
    expect(decide({ microvms: [], jobs: [{ ...retried, finishedAt: now - 9 * 86_400_000 }] }).job).toBeUndefined();
  });

  it.each<[string, Partial<Job>]>([
    ["was cancelled by somebody else before", { status: "canceled", vmLoss: aLoss() }],
    ["ended by itself", { status: "failed", vmLoss: aLoss({ cancelAskedAt: now - 1_000 }) }],
    ["was retried already", { status: "canceled", vmLoss: aLoss({ cancelAskedAt: now - 1_000, retriedAs: 2 }) }],
    ["is only to be cancelled", { status: "canceled", vmLoss: aLoss({ policy: "cancel", cancelAskedAt: now - 1_000 }) }],
    ["was given up", { status: "running", vmLoss: aLoss({ givenUp: { code: "FR-FORGE-UNAUTHORIZED", message: "generated" } }) }],
  ])("is left alone when it %s", (_what, job) => {
    expect(decide({ microvms: [], jobs: [running(job)] }).asked).toEqual([]);
  });

  it("is given up after an hour in which the forge did nothing", () => {
    const { asked, job } = decide({ microvms: [], jobs: [running({ vmLoss: aLoss({ confirmedAt: now - 60 * minute }) })] });
    expect(asked).toEqual([]);
    expect(job?.vmLoss?.givenUp).toMatchObject({ code: "FR-FORGE-UNREACHABLE" });
  });

  it("is not retried when it ran for too long", () => {
    const overdue = busy({ phase: "deleting", absentAt: now - 10, failure: { code: "FR-JOB-TIMEOUT", message: "too long" } });
    expect(decide({ microvms: [overdue], hosts: [aHostView(aHost(), [])] }).job?.vmLoss).toMatchObject({
      code: "FR-JOB-TIMEOUT",
      policy: "cancel",
    });
  });

  it("changes nothing of the order in which its microVM is removed", () => {
    const snapshot = aSnapshot({ microvms: [busy()], identities: [anIdentity()], jobs: [running()], ...silent });
    const { effects } = plan(snapshot);
    expect(effects.map(({ kind }) => kind)).toContain("pauseRunner");
    expect(effects.map(({ kind }) => kind)).not.toContain("deleteOnHost");
    expect(applyPlan(snapshot, plan(snapshot)).microvms[0]).toMatchObject({ phase: "draining", failure: { code: "FR-GUEST-LOST" } });
  });
});

describe("a microVM that is gone before it is known to have a job", () => {
  const assigned = aVm({ phase: "assigned", identity: true, committedAt: now - 20_000, assignedAt: now - 15_000 });
  const gone = { hosts: [aHostView(aHost(), [])] };
  const pools = [{ spec: aPool({ onVmLoss: "cancel-and-retry" }), paused: false }];
  /** What is known of the runner when its microVM is gone, and of the job that the forge then tells of. */
  const next = (runner: Partial<Identity>, jobs: readonly Job[] = []) => {
    const identities = [anIdentity({ state: "leaving", vmGoneAt: now - 9_000, jobsUnread: true, ...runner })];
    return planUntilDone(aSnapshot({ ...gone, pools, jobs, identities })).rounds.flatMap(({ effects }) => effects);
  };

  it("has its runner paused, and asked for its job before it is deleted", () => {
    const { after, rounds } = planUntilDone(aSnapshot({ ...gone, microvms: [assigned], identities: [anIdentity()] }));
    expect(after.microvms).toEqual([]);
    expect(after.identities).toMatchObject([{ state: "leaving", vmGoneAt: now, jobsUnread: true }]);
    const runner = { vm: "vm-one", connection: "forge", runnerId: 100 };
    expect(rounds.flatMap(({ effects }) => effects)).toEqual([{ kind: "pauseRunner", ...runner }]);
    expect(next({ pausedAt: now - 4_999 })).toEqual([]);
    expect(next({ pausedAt: now - 5_000 })).toEqual([{ kind: "readRunningJobs", ...runner }]);
    const answered = { pausedAt: now - 8_000, runningJobs: { count: 1, at: now - 2_000 } };
    expect(next(answered)).toEqual([{ kind: "deleteRunner", ...runner }]);
  });

  it("has its job followed as that of any other that is lost", () => {
    const { vm: _vm, pool: _pool, size: _size, ...told } = running();
    const answered = { pausedAt: now - 8_000, runningJobs: { count: 1, at: now - 2_000 } };
    const identities = [anIdentity({ state: "leaving", vmGoneAt: now - 9_000, jobsUnread: true, ...answered })];
    const { asked, job } = decide({ microvms: [], identities, jobs: [told] });
    expect(asked).toEqual([{ kind: "confirmLoss", ...id }]);
    expect(job).toMatchObject({ vm: "vm-one", pool: "pool", vmLoss: { code: "FR-VM-VANISHED", policy: "cancel-and-retry" } });
  });

  it("costs nothing where its guest never came up", () => {
    const { claimedAt: _claimedAt, ...unclaimed } = { ...assigned, phase: "booting" as const };
    const { after, rounds } = planUntilDone(aSnapshot({ ...gone, microvms: [unclaimed], identities: [anIdentity()] }));
    expect(after.identities[0]?.jobsUnread).toBeUndefined();
    expect(rounds.flatMap(({ effects }) => effects).map(({ kind }) => kind)).toEqual(["deleteRunner"]);
  });

  it("has no job made its own that runs on a runner whose microVM may only not be found yet", () => {
    const { vm: _vm, ...told } = running();
    const { asked, job } = decide({ microvms: [], identities: [anIdentity({ state: "leaving" })], jobs: [told] });
    expect(asked).toEqual([]);
    expect(job?.vm).toBeUndefined();
  });
});
