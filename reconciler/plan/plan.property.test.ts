import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { referencesOf } from "../model/image.js";
import { isFinished, isRunning } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import { presenceClass } from "../model/presence.js";
import { applyPlan, planUntilDone } from "./apply-plan.fixture.js";
import { Draft } from "./draft.js";
import { snapshots } from "./generated.fixture.js";
import { plan } from "./plan.js";
import { protectionOf } from "./protection.js";
import type { Snapshot } from "./snapshot.js";
import { countsAgainstPool } from "./supply.js";

const runs = { numRuns: Number(process.env.FIRERUNNER_RUNS ?? "300") };
const always = (holds: (snapshot: Snapshot) => void) => fc.assert(fc.property(snapshots, holds), runs);

const counted = (snapshot: Snapshot, pool: string) =>
  snapshot.microvms.filter((vm) => vm.pool === pool && countsAgainstPool(new Draft(snapshot), vm)).length;
const created = (before: Snapshot, after: Snapshot): Microvm[] => {
  const known = new Set(before.microvms.map((vm) => vm.name));
  return after.microvms.filter((vm) => !known.has(vm.name) && vm.failure?.code !== "FR-VM-ORPHAN");
};

describe("a plan", () => {
  it("is the same for the same snapshot, and leaves the snapshot as it was", () => {
    always((snapshot) => {
      const copy = structuredClone(snapshot);
      expect(plan(snapshot)).toEqual(plan(copy));
      expect(snapshot).toEqual(copy);
    });
  });

  it("leaves nothing to decide when it was applied", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      const { decisions, effects } = plan(after);
      expect({ decisions, effects }).toEqual({ decisions: [], effects: [] });
    });
  });

  it("names the time at which something else is to be decided, and nothing is before it", () => {
    fc.assert(
      fc.property(snapshots, fc.double({ min: 0, max: 1, noNaN: true }), (snapshot, part) => {
        const { after } = planUntilDone(snapshot);
        const wakeAt = plan(after).wakeAt ?? after.now + 7_200_000;
        expect(wakeAt).toBeGreaterThan(after.now);
        const { decisions, effects } = plan({ ...after, now: Math.floor(after.now + part * (wakeAt - 1 - after.now)) });
        expect({ decisions, effects }).toEqual({ decisions: [], effects: [] });
      }),
      runs,
    );
  });

  it("never makes more microVMs than a pool may have", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      for (const { spec } of snapshot.pools) {
        const made = created(snapshot, after).filter((vm) => vm.pool === spec.name).length;
        if (made > 0) expect(counted(after, spec.name)).toBeLessThanOrEqual(spec.maxMicrovms);
      }
    });
  });

  it("makes no more microVMs for a project than its quota of a pool", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      for (const { spec } of snapshot.pools) {
        const quota = spec.maxMicrovmsPerProject ?? Number.POSITIVE_INFINITY;
        const had = after.microvms.filter((vm) => vm.pool === spec.name && vm.job !== undefined && countsAgainstPool(new Draft(after), vm));
        const mayGet = after.jobs.filter((job) => job.pool === spec.name && job.waitingReason?.code === "FR-WAITING-FOR-MICROVM");
        for (const projectId of [7, 8]) {
          const has = had.filter((vm) => vm.job?.split("/")[1] === String(projectId)).length;
          const promised = mayGet.filter((job) => job.status === "pending" && job.projectId === projectId).length;
          if (promised > 0) expect(has + promised).toBeLessThanOrEqual(quota);
        }
      }
    });
  });

  it("maps no job to a pool for protected refs whose ref may be another, and makes its runners for those only", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      const guarded = new Set(after.pools.filter(({ spec }) => spec.accessLevel === "ref_protected").map(({ spec }) => spec.name));
      for (const job of after.jobs) {
        if (job.status !== "pending" || !guarded.has(job.pool ?? "")) continue;
        const view = after.connections.find(({ spec }) => spec.name === job.connection);
        expect(protectionOf(view, job), `job ${job.jobId}`).toBe(true);
      }
      const made = new Set(created(snapshot, after).flatMap((vm) => (guarded.has(vm.pool) ? [vm.name] : [])));
      for (const identity of after.identities) if (made.has(identity.vm)) expect(identity.protectedOnly).toBe(true);
    });
  });

  it("never puts more on a host than it can hold, nor anything on one that is unknown or closed", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      for (const { spec, standing, observation } of snapshot.hosts) {
        const made = created(snapshot, after).filter((vm) => vm.host === spec.name);
        if (made.length === 0) continue;
        const held = after.microvms.filter((vm) => vm.host === spec.name);
        expect(standing).toBe("open");
        expect(snapshot.now - (observation?.at ?? 0)).toBeLessThan(30_000);
        expect(held.length).toBeLessThanOrEqual(spec.capacity.microvms);
        expect(held.reduce((sum, vm) => sum + vm.size.vcpu, 0)).toBeLessThanOrEqual(
          spec.capacity.vcpu * (spec.capacity.vcpuOvercommit ?? 1),
        );
        expect(held.reduce((sum, vm) => sum + vm.size.memoryMb, 0)).toBeLessThanOrEqual(spec.capacity.memoryMb);
      }
    });
  });

  it("tries a host that failed with one microVM of the image at a time", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      const failing = after.conditions.find(({ subject }) => subject.kind === "host-image");
      if (failing === undefined) return;
      const made = created(snapshot, after).filter((vm) => failing.subject.name === `${vm.host}/${vm.image}`);
      expect(made.length).toBeLessThanOrEqual((failing.until ?? 0) > after.now ? 0 : 1);
    });
  });

  it("says of a new microVM that it is a first use when its host is not known to have run what it boots, and only then", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      for (const vm of created(snapshot, after)) {
        const ran = after.hostImages.find(({ host }) => host === vm.host)?.images.map(({ reference }) => reference) ?? [];
        const hasAll = vm.boots !== undefined && referencesOf(vm.boots).every((reference) => ran.includes(reference));
        expect(vm.firstUse === true, `${vm.name} on ${vm.host}`).toBe(!hasAll);
      }
    });
  });

  it("remembers images of hosts that are declared, where they are declared, and not given up", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      for (const { host, endpoint } of after.hostImages) {
        const view = snapshot.hosts.find(({ spec }) => spec.name === host);
        expect(view?.spec.endpoint, host).toBe(endpoint);
        expect(view?.standing).not.toBe("forgotten");
      }
    });
  });

  it("never gives a name, an address or a MAC twice", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      const given = after.microvms
        .filter((vm) => vm.mac !== "")
        .flatMap((vm) => [vm.name, `${vm.host} ${vm.mac}`, ...(vm.address === undefined ? [] : [`${vm.host} ${vm.address}`])]);
      expect(given.length).toBe(new Set(given).size);
    });
  });

  it("deletes no microVM whose job runs as far as anybody knows, before its time is up", () => {
    always((snapshot) => {
      const decided = plan(snapshot);
      for (const vm of applyPlan(snapshot, decided).microvms) {
        const before = snapshot.microvms.find(({ name }) => name === vm.name);
        if (vm.phase !== "deleting" || before === undefined || before.phase === "deleting" || vm.absentAt !== undefined) continue;
        const report = snapshot.guestReports.get(vm.name);
        const guestEnded = report?.done !== undefined || report?.fault?.code === "FR-GUEST-RESTARTED";
        const drainEndsAt = snapshot.hosts.find(({ spec }) => spec.name === before.host)?.drainDeadlineAt;
        const overdue = [before.jobDeadlineAt, drainEndsAt].some((at) => at !== undefined && at <= snapshot.now);
        if (guestEnded || overdue) continue;
        const identity = snapshot.identities.find((candidate) => candidate.vm === vm.name);
        const job = snapshot.jobs.find((candidate) => candidate.vm === vm.name);
        const confirmedIdle = identity === undefined || identity.absent === true || identity.runningJobs?.count === 0;
        if (job !== undefined && isRunning(job.status)) expect(confirmedIdle, `${vm.name} runs ${job.jobId}`).toBe(true);
        if (report !== undefined) expect(confirmedIdle, `${vm.name} may hold a credential`).toBe(true);
      }
    });
  });

  it("takes nothing on an unknown host for gone", () => {
    always((snapshot) => {
      const after = applyPlan(snapshot, plan(snapshot));
      const unknown = new Set(
        snapshot.hosts
          .filter(({ observation, standing }) => observation === undefined && standing !== "forgotten")
          .map(({ spec }) => spec.name),
      );
      for (const vm of snapshot.microvms) {
        const isDeclared = snapshot.hosts.some(({ spec }) => spec.name === vm.host);
        if ((isDeclared && !unknown.has(vm.host)) || vm.createSentAt === undefined || vm.absentAt !== undefined) continue;
        const still = after.microvms.find(({ name }) => name === vm.name);
        expect(still?.absentAt, `${vm.name} on ${vm.host}`).toBeUndefined();
        expect(still).toBeDefined();
      }
    });
  });

  it("covers or explains every waiting job", () => {
    always((snapshot) => {
      const { after } = planUntilDone(snapshot);
      for (const job of after.jobs) if (job.status === "pending") expect(job.waitingReason, `job ${job.jobId}`).toBeDefined();
    });
  });

  it("never brings back to supply what was told to go", () => {
    always((snapshot) => {
      const after = applyPlan(snapshot, plan(snapshot));
      for (const vm of after.microvms) {
        const before = snapshot.microvms.find(({ name }) => name === vm.name);
        if (before !== undefined && isLeaving(before)) expect(isLeaving(vm), `${before.phase} -> ${vm.phase}`).toBe(true);
      }
    });
  });

  it("forgets no runner that may exist in the forge", () => {
    always((snapshot) => {
      const after = applyPlan(snapshot, plan(snapshot));
      for (const identity of snapshot.identities) {
        if (after.identities.some(({ vm }) => vm === identity.vm)) continue;
        const neverAsked = identity.attempts === 0 && identity.runnerId === undefined;
        expect(identity.absent === true || neverAsked, `${identity.vm} ${identity.state}`).toBe(true);
      }
    });
  });

  it("hears a presence runner only while it is surely paused, and keeps no two that a class needs", () => {
    always((snapshot) => {
      for (const effect of plan(snapshot).effects) {
        if (effect.kind !== "tendPresence" || effect.step !== "contact") continue;
        expect(snapshot.presences.find(({ name }) => name === effect.presence)?.state).toBe("paused");
      }
      const { after } = planUntilDone(snapshot);
      const kept = after.presences.filter(({ state, unneededSince }) => state !== "leaving" && unneededSince === undefined);
      expect(new Set(kept.map(presenceClass)).size).toBe(kept.length);
    });
  });

  it("asks a forge at its limit for one runner at a time, and begins no more for it meanwhile", () => {
    always((snapshot) => {
      const limited = snapshot.conditions.find(({ type }) => type === "RunnerLimit");
      if (limited === undefined) return;
      const { after, rounds } = planUntilDone(snapshot);
      if (!after.conditions.some(({ type }) => type === "RunnerLimit")) return;
      const asked = rounds.flatMap(({ effects }) =>
        effects.filter((effect) => effect.kind === "makeRunner" || (effect.kind === "tendPresence" && /make/.test(effect.step))),
      );
      expect(asked.length).toBeLessThanOrEqual((limited.until ?? 0) > snapshot.now ? 0 : 1);
      if ((limited.until ?? 0) > snapshot.now) expect(created(snapshot, after)).toEqual([]);
    });
  });

  it("asks for nothing of a host or a forge that is not declared", () => {
    always((snapshot) => {
      for (const effect of plan(snapshot).effects) {
        if ("host" in effect) expect(snapshot.hosts.map(({ spec }) => spec.name)).toContain(effect.host);
        else expect(snapshot.connections.map(({ spec }) => spec.name)).toContain(effect.connection);
      }
    });
  });

  it("keeps what jobs that are over left behind", () => {
    always((snapshot) => {
      const after = applyPlan(snapshot, plan(snapshot));
      for (const job of snapshot.jobs) {
        if (isFinished(job.status)) expect(after.jobs.some(({ jobId }) => jobId === job.jobId)).toBe(true);
      }
    });
  });
});
