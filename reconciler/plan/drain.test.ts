import { describe, expect, it } from "vitest";
import type { Microvm } from "../model/microvm.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { aHost, aHostView, aJob, anIdentity, aReport, aSnapshot, aVm, now, remarkable, shownVm } from "./snapshot.fixture.js";
import type { HostView, Snapshot } from "./snapshot.js";

const { sealedToken: _token, ...paused } = anIdentity({ pausedAt: now - 60_000, runningJobs: { count: 1, at: now - 1_000 } });
const busy = (vm: Partial<Microvm> = {}) =>
  aVm({ phase: "busy", identity: true, busyAt: now - 9_000, job: "forge/7/1", jobDeadlineAt: now + 3_600_000, ...vm });
const running = [aJob({ status: "running", runnerId: 100, vm: "vm-one", pool: "pool", size: "small" })];

function drain(vm: Microvm, view: Partial<HostView> = {}, rest: Partial<Snapshot> = {}) {
  const host = aHostView(aHost(), vm.uid === undefined ? [] : [shownVm({ uid: vm.uid, name: vm.name })], { standing: "draining", ...view });
  const { after, rounds } = planUntilDone(
    aSnapshot({ hosts: [host, aHostView(aHost({ name: "host-b" }))], microvms: [vm], identities: [anIdentity()], jobs: running, ...rest }),
  );
  const effects = rounds.flatMap((round) => round.effects.map(({ kind }) => kind));
  const conditions = remarkable(after.conditions);
  return { vm: after.microvms.find(({ name }) => name === vm.name), microvms: after.microvms, effects, conditions };
}

describe("a host that is drained", () => {
  it("gives up at once what has a runner but no job, safely, and another host takes its job", () => {
    const waiting = aVm({ phase: "assigned", identity: true, assignedAt: now - 500, committedAt: now - 900 });
    const { vm, microvms, effects } = drain(waiting, {}, { jobs: [aJob()] });
    expect(vm?.phase).toBe("draining");
    expect(effects).toContain("pauseRunner");
    expect(effects).not.toContain("deleteOnHost");
    expect(microvms.filter(({ host }) => host === "host-b")).toHaveLength(1);
  });

  it("waits for jobs that run, and tells so", () => {
    const { vm, conditions } = drain(busy(), { drainDeadlineAt: now + 60_000 }, { identities: [paused] });
    expect(vm?.phase).toBe("busy");
    expect(conditions).toMatchObject([
      {
        type: "Drained",
        status: false,
        reason: "Draining",
        message: expect.stringMatching(/left: 1, with a job: 1; .*2023-11-14T22:14:20/),
      },
    ]);
  });

  it("waits until a deadline that no calendar knows", () => {
    const { conditions } = drain(busy(), { drainDeadlineAt: Number.MAX_SAFE_INTEGER }, { identities: [paused] });
    expect(conditions).toMatchObject([{ type: "Drained", reason: "Draining" }]);
  });

  it("tells their guests to end them at its deadline, with the reason, and gives them half a minute", () => {
    const { vm, effects } = drain(busy(), { drainDeadlineAt: now }, { identities: [paused] });
    expect(vm).toMatchObject({
      phase: "draining",
      failure: { code: "FR-HOST-DRAINED" },
      endAskedAt: now,
      jobDeadlineAt: now + 30_000,
    });
    expect(effects).not.toContain("deleteOnHost");
  });

  it("ends at its deadline what was told to go before and still runs", () => {
    const leaving = busy({ phase: "draining", drainingAt: now - 5_000 });
    const identities = [{ ...paused, state: "leaving" as const }];
    expect(drain(leaving, { drainDeadlineAt: now + 1 }, { identities }).vm?.endAskedAt).toBeUndefined();
    expect(drain(leaving, { drainDeadlineAt: now }, { identities }).vm).toMatchObject({ phase: "draining", endAskedAt: now });
  });

  it("removes what was told to end as soon as its guest says that it has, and after half a minute otherwise", () => {
    const told = busy({ phase: "draining", drainingAt: now - 20_000, endAskedAt: now - 20_000, jobDeadlineAt: now + 10_000 });
    const identities = [{ ...paused, state: "leaving" as const }];
    const later = (vm: Microvm, done: boolean) => {
      const report = aReport(done ? { done: { at: now - 100, exitCode: 1, reason: "failed" } } : {});
      return drain(vm, { drainDeadlineAt: now - 20_000 }, { identities, guestReports: new Map([["vm-one", report]]) });
    };
    expect(later(told, false).vm?.phase).toBe("draining");
    expect(later(told, true)).toMatchObject({ vm: { phase: "deleting" }, effects: expect.arrayContaining(["deleteOnHost"]) });
    expect(later({ ...told, jobDeadlineAt: now }, false).vm?.phase).toBe("deleting");
  });

  it("is drained when nothing is left on it", () => {
    const elsewhere = aVm({ host: "host-b" });
    const hosts = [aHostView(aHost(), [], { standing: "draining" }), aHostView(aHost({ name: "host-b" }), [shownVm()])];
    expect(drain(elsewhere, {}, { hosts }).conditions).toMatchObject([{ type: "Drained", status: true, reason: "Empty" }]);
  });

  it("is not told to be drained any more when it is open again", () => {
    const { conditions } = drain(busy(), { drainDeadlineAt: now + 60_000 }, { identities: [paused] });
    expect(drain(busy(), { standing: "open" }, { identities: [paused], conditions }).conditions).toEqual([]);
  });
});

describe("a host that is forgotten", () => {
  it("takes its microVMs and their runners with it, whatever the forge says", () => {
    const guestReports = new Map([["vm-one", aReport({ startedAt: now - 9_000 })]]);
    const { vm, effects } = drain(busy(), { standing: "forgotten" }, { identities: [paused], guestReports });
    expect(vm).toBeUndefined();
    expect(effects).toContain("deleteRunner");
    expect(effects).not.toContain("deleteOnHost");
  });

  it("gets nothing new", () => {
    const hosts = [aHostView(aHost(), [], { standing: "forgotten" })];
    expect(planUntilDone(aSnapshot({ hosts, jobs: [aJob()] })).after.microvms).toEqual([]);
  });
});
