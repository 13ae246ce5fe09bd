import { describe, expect, it } from "vitest";
import type { Condition } from "../model/condition.js";
import type { Microvm } from "../model/microvm.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import {
  aConnection,
  aConnectionView,
  aHost,
  aHostView,
  aJob,
  anIdentity,
  anImage,
  aPool,
  aReport,
  aSnapshot,
  aVm,
  now,
  remarkable,
} from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const held = (count: number, until: number, host = false): Condition => ({
  subject: host ? { kind: "host-image", name: "host-a/image" } : { kind: "class", name: "pool/small" },
  type: host ? "CreateFailing" : "NoJobTaken",
  status: true,
  reason: "FR-VM-BOOT-TIMEOUT",
  message: "no claim",
  observedAt: now - 1_000,
  count,
  until,
});
const outcome = (rest: Partial<Snapshot>) => {
  const { after } = planUntilDone(aSnapshot(rest));
  return { ...after, conditions: remarkable(after.conditions) };
};
const { claimedAt: _claimedAt, ...unclaimed } = aVm({
  phase: "booting",
  createSentAt: now - 120_000,
  identity: true,
  committedAt: now - 120_000,
});
const gone = (vm: Partial<Microvm>) => aVm({ phase: "deleting", identity: true, absentAt: now - 10, drainingAt: now - 8_000, ...vm });
const endedItself = new Map([["vm-one", aReport({ done: { at: now - 8_000, exitCode: 0, reason: "finished" } })]]);

describe("a class whose microVMs come to nothing", () => {
  it("waits before its next one, from the very moment of the failure", () => {
    const { conditions, jobs, microvms } = outcome({ microvms: [unclaimed], identities: [anIdentity()], jobs: [aJob()] });
    expect(conditions).toMatchObject([{ type: "NoJobTaken", count: 1, until: now + 5_000 }]);
    expect(jobs).toMatchObject([{ waitingReason: { code: "FR-POOL-BACKOFF" } }]);
    expect(microvms).toHaveLength(1);
  });

  it.each([
    [2, 10_000],
    [4, 40_000],
    [40, 300_000],
  ])("waits longer every time: after %i times %i ms", (times, waitMs) => {
    const { conditions } = outcome({ microvms: [unclaimed], identities: [anIdentity()], conditions: [held(times - 1, now - 1_000)] });
    expect(conditions).toMatchObject([{ count: times, until: now + waitMs }]);
  });

  it("counts what fails together once", () => {
    const microvms = [1, 2, 3].map((n) => ({
      ...unclaimed,
      name: `vm-${n}`,
      uid: `uid-vm-${n}`,
      mac: `02:00:00:00:00:0${n}`,
      address: `10.20.0.${n + 20}/24`,
    }));
    expect(outcome({ microvms }).conditions).toMatchObject([{ count: 1 }]);
  });

  it("is tried again when the time has come", () => {
    const { microvms } = outcome({ jobs: [aJob()], conditions: [held(3, now)] });
    expect(microvms).toHaveLength(1);
  });

  it("waits when a guest ended without a job while jobs wait", () => {
    const identities = [anIdentity({ state: "leaving", pausedAt: now - 6_000, runningJobs: { count: 0, at: now - 500 } })];
    const rest = { microvms: [gone({})], identities, guestReports: endedItself };
    expect(outcome({ ...rest, jobs: [aJob()] }).conditions).toMatchObject([{ reason: "FR-VM-NO-JOB" }]);
    expect(outcome(rest).conditions).toEqual([]);
    const why = "the pool wants executor docker: the development runner has shell only";
    const refused = new Map([["vm-one", aReport({ done: { at: now - 8_000, exitCode: 1, reason: "refused", why } })]]);
    const conditions = outcome({ ...rest, guestReports: refused, jobs: [aJob()] }).conditions;
    expect(conditions).toMatchObject([{ message: `its guest ended without a job: ${why}` }]);
  });

  it("says so when a guest ended without a job because its runner was deleted in the forge", () => {
    const identities = [anIdentity({ state: "leaving", absent: true })];
    const { conditions } = outcome({ microvms: [gone({})], identities, guestReports: endedItself, jobs: [aJob()] });
    expect(conditions).toMatchObject([{ reason: "FR-FORGE-RUNNER-DELETED" }]);
  });

  it.each<[string, Partial<Snapshot>, string]>([
    [
      "that the project may have instance runners turned off",
      {},
      "job forge/7/1 waits; perhaps project 7 has instance runners turned off, or somebody changed the runner's tags in the forge, or paused it",
    ],
    [
      "that the project may lie outside the group",
      { connections: [aConnectionView({ spec: aConnection({ scope: { groupId: 3 } }) })] },
      "perhaps project 7 lies outside group 3, or has group runners turned off, or",
    ],
    [
      "that the token may have been refused",
      { guestReports: new Map([["vm-one", aReport({ done: { at: now - 8_000, exitCode: 1, reason: "failed" } })]]) },
      "perhaps its runner failed (exit code 1), or the forge refused its token, or",
    ],
    [
      "that the ref may be protected no more",
      { identities: [anIdentity({ state: "leaving", absent: true, protectedOnly: true, attempts: 0 })], jobs: [aJob({ ref: "main" })] },
      'or the ref "main" is protected no more, or',
    ],
    [
      "for sure that the pool has other tags now",
      { jobs: [aJob({ tags: ["vm", "new"] })], pools: [{ spec: aPool({ tags: ["vm", "new"] }), paused: false }] },
      "job forge/7/1 waits, and the runner was made before its pool had the tags new",
    ],
  ])("is told %s", (_what, rest, expected) => {
    const [identity = anIdentity({ state: "leaving", absent: true })] = rest.identities ?? [];
    const { runnerId: _runnerId, ...unmade } = identity;
    const identities = [unmade];
    const { conditions } = outcome({ microvms: [gone({})], guestReports: endedItself, jobs: [aJob()], ...rest, identities });
    expect(conditions.find(({ type }) => type === "NoJobTaken")).toMatchObject({
      reason: "FR-VM-NO-JOB",
      message: expect.stringContaining(expected),
    });
  });

  it.each<[string, Partial<Microvm>, Partial<Snapshot>]>([
    ["it was told to go before its guest ended", { drainingAt: now - 9_000 }, {}],
    ["it had a job", { job: "forge/7/9" }, {}],
  ])("does not wait when %s", (_what, vm, rest) => {
    expect(outcome({ microvms: [gone(vm)], jobs: [aJob()], guestReports: endedItself, ...rest }).conditions).toEqual([]);
  });
});

describe("a host that makes no microVMs", () => {
  const refused = {
    ...unclaimed,
    phase: "creating" as const,
    absentAt: now - 5,
    failure: { code: "FR-FLINTLOCK-REJECTED", message: "no" },
  };

  it("gets none for a while, and the others do", () => {
    const hosts = [aHostView(), aHostView(aHost({ name: "host-b" }))];
    const { conditions, microvms } = outcome({ microvms: [refused], jobs: [aJob()], hosts });
    expect(conditions).toMatchObject([{ subject: { kind: "host-image", name: "host-a/image" }, type: "CreateFailing" }]);
    expect(microvms.map(({ host }) => host)).toEqual(["host-b"]);
  });

  it("is held back as a whole when it cannot be reached", () => {
    const silent = { ...refused, failure: { code: "FR-HOST-UNREACHABLE", message: "no answer" } };
    expect(outcome({ microvms: [silent] }).conditions).toMatchObject([
      { subject: { kind: "host", name: "host-a" }, type: "CreateFailing" },
    ]);
  });

  it("still gets those of other images", () => {
    const pools = [{ spec: aPool({ image: "other" }), paused: false }];
    const images = [anImage(), anImage({ name: "other" })];
    expect(outcome({ jobs: [aJob()], pools, images, conditions: [held(2, now + 3_000, true)] }).microvms).toHaveLength(1);
  });

  it("is tried with one when its time has come, and with the next when that one claimed", () => {
    const jobs = [1, 2, 3].map((jobId) => aJob({ jobId }));
    const tried = outcome({ jobs, conditions: [held(2, now, true)] });
    expect(tried.microvms).toHaveLength(1);
    expect(tried.jobs.map(({ waitingReason }) => waitingReason?.code)).toEqual([
      "FR-WAITING-FOR-MICROVM",
      "FR-NO-CAPACITY",
      "FR-NO-CAPACITY",
    ]);
    const [trial] = tried.microvms;
    const guestReports = new Map([[trial?.name ?? "", aReport({ vm: trial?.name ?? "", claimedAt: now })]]);
    expect(planUntilDone({ ...tried, guestReports }).after.microvms).toHaveLength(3);
  });

  it("is tried with one even while an older one of its boots", () => {
    const older = { ...unclaimed, createSentAt: now - 10_000, allocatedAt: now - 10_000 };
    const rest = { microvms: [older], identities: [anIdentity()], jobs: [aJob(), aJob({ jobId: 2 })] };
    expect(outcome({ ...rest, conditions: [held(2, now, true)] }).microvms).toHaveLength(2);
  });

  it("is named in the reasons of jobs when it is the only one", () => {
    const [job] = outcome({ jobs: [aJob()], conditions: [held(2, now + 3_000, true)] }).jobs;
    expect(job?.waitingReason).toMatchObject({ code: "FR-NO-CAPACITY", message: expect.stringContaining('host "host-a" failed 2 times') });
  });

  it("is well again when a guest on it claims", () => {
    const booting = { ...unclaimed, createSentAt: now - 10_000 };
    const rest = { microvms: [booting], identities: [anIdentity()], guestReports: new Map([["vm-one", aReport()]]) };
    expect(outcome({ ...rest, conditions: [held(2, now + 3_000, true)] }).conditions).toEqual([]);
  });
});

it("forgets what has held nothing back for ten minutes", () => {
  expect(outcome({ conditions: [held(5, now - 600_000)] }).conditions).toEqual([]);
});
