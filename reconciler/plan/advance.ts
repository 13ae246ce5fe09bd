import type { GuestReport } from "../model/front-door.js";
import { isFinished } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import { settleHost } from "./backoff.js";
import type { Draft } from "./draft.js";
import type { ObservedMicrovm } from "./snapshot.js";

/** How long a claimed guest may be silent: six of its heartbeats. */
const silenceMs = 60_000;
/** How long the forge may say "running" after the guest said that its runner ended. */
const afterDoneMs = 60_000;
/** After this a Create that was sent can no longer arrive: its own deadline, and as much again. */
export const createDoubtMs = 20_000;
/** A host that tried this often to create a microVM does not get it done. */
const createRetries = 3;

/** Moves every microVM on by what its host, its guest and its forge say, and by its deadlines. */
export function advanceMicrovms(draft: Draft): void {
  const observed = new Map<string, Map<string, ObservedMicrovm>>();
  for (const host of draft.snapshot.hosts) {
    if (host.observation === undefined) continue;
    observed.set(host.spec.name, new Map(host.observation.microvms.map((vm) => [vm.uid, vm])));
  }
  for (const vm of [...draft.microvms.values()]) {
    const seen = followHost(draft, vm, observed.get(vm.host));
    if (!isLeaving(seen)) followGuest(draft, seen, draft.snapshot.guestReports.get(seen.name));
  }
}

/** Tells a microVM to go. From here it never returns to supply. */
export function retire(draft: Draft, vm: Microvm, failure?: Microvm["failure"]): void {
  draft.putMicrovm({ ...vm, phase: "draining", drainingAt: draft.now, ...(failure === undefined ? {} : { failure }) });
  if (failure === undefined) return;
  draft.event("MicrovmFailed", { kind: "microvm", name: vm.name }, `${failure.code}: ${failure.message}`, vm.traceId);
}

function followHost(draft: Draft, vm: Microvm, byUid: ReadonlyMap<string, ObservedMicrovm> | undefined): Microvm {
  const observation = draft.hosts.get(vm.host)?.observation;
  if (byUid === undefined || observation === undefined || vm.createSentAt === undefined || vm.absentAt !== undefined) return vm;
  if (vm.uid === undefined) return findByName(draft, vm, observation.startedAt, observation.microvms);
  const shown = byUid.get(vm.uid);
  if (shown === undefined) {
    // Only a list that was asked for after the host had answered Create can miss it.
    return observation.startedAt > (vm.createdAt ?? vm.createSentAt) ? vanish(draft, vm) : vm;
  }
  if (isLeaving(vm) || (vm.phase !== "creating" && vm.phase !== "booting")) return vm;
  if (shown.state === "failed" || shown.retry >= createRetries) {
    const message = `host "${vm.host}" tried ${shown.retry} times in vain`;
    retire(draft, vm, { code: "FR-VM-CREATE-FAILED", message });
    return draft.microvms.get(vm.name) ?? vm;
  }
  if (vm.phase === "creating" && shown.state === "created") return draft.putMicrovm({ ...vm, phase: "booting" });
  return vm;
}

/** After a Create whose answer was lost, the name tells whether it arrived. */
function findByName(draft: Draft, vm: Microvm, listedAt: number, shown: readonly ObservedMicrovm[]): Microvm {
  if (draft.isInFlight(`host:${vm.name}`)) return vm;
  const found = shown.find((candidate) => candidate.name === vm.name);
  if (found !== undefined) return draft.putMicrovm({ ...vm, uid: found.uid });
  if (vm.createSentAt === undefined || listedAt < vm.createSentAt + createDoubtMs) return vm;
  const absent = draft.putMicrovm({ ...vm, absentAt: draft.now });
  if (!isLeaving(absent)) retire(draft, absent, { code: "FR-VM-CREATE-FAILED", message: `host "${vm.host}" never showed it after Create` });
  return draft.microvms.get(vm.name) ?? absent;
}

function vanish(draft: Draft, vm: Microvm): Microvm {
  if (vm.phase === "deleting") return draft.putMicrovm({ ...vm, absentAt: draft.now });
  const failure = vm.failure ?? { code: "FR-VM-VANISHED", message: `host "${vm.host}" no longer shows it` };
  if (vm.failure === undefined)
    draft.event("MicrovmFailed", { kind: "microvm", name: vm.name }, `${failure.code}: ${failure.message}`, vm.traceId);
  // Nothing can run on it any more: its runner is removed without waiting for it.
  return draft.putMicrovm({ ...vm, phase: "deleting", drainingAt: vm.drainingAt ?? draft.now, absentAt: draft.now, failure });
}

function followGuest(draft: Draft, vm: Microvm, report: GuestReport | undefined): void {
  if (report === undefined) {
    awaitClaim(draft, vm);
    return;
  }
  if (report.fault !== undefined) {
    const message = report.fault.code === "FR-GUEST-RESTARTED" ? "its guest booted again" : "another secret claimed it";
    retire(draft, vm, { code: report.fault.code, message });
    return;
  }
  const claimed = vm.claimedAt === undefined ? claim(draft, vm, report) : vm;
  const assigned = assign(draft, claimed);
  forgetToken(draft, assigned, report);
  if (jobIsOver(draft, assigned)) {
    retire(draft, assigned);
    return;
  }
  if (report.done !== undefined) {
    followDone(draft, assigned, report.done);
    return;
  }
  followDeadlines(draft, assigned, report);
}

function awaitClaim(draft: Draft, vm: Microvm): void {
  if (vm.createSentAt === undefined) return;
  const bootTimeoutMs = (draft.pools.get(vm.pool)?.spec.bootTimeoutS ?? 120) * 1000;
  const since = Math.max(vm.createSentAt, draft.snapshot.listeningSince);
  if (!draft.reached(since + bootTimeoutMs)) return;
  retire(draft, vm, { code: "FR-VM-BOOT-TIMEOUT", message: `no claim within ${bootTimeoutMs / 1000} s` });
}

function claim(draft: Draft, vm: Microvm, report: GuestReport): Microvm {
  settleHost(draft, vm.host);
  draft.event(
    "MicrovmClaimed",
    { kind: "microvm", name: vm.name },
    `its guest claimed after ${report.claimedAt - vm.allocatedAt} ms`,
    vm.traceId,
  );
  const phase = vm.phase === "busy" ? "busy" : "parked";
  return draft.putMicrovm({ ...vm, phase, claimedAt: report.claimedAt });
}

function assign(draft: Draft, vm: Microvm): Microvm {
  if (vm.phase !== "parked" || draft.identities.get(vm.name)?.state !== "ready") return vm;
  return draft.putMicrovm({ ...vm, phase: "assigned", assignedAt: draft.now });
}

function forgetToken(draft: Draft, vm: Microvm, report: GuestReport): void {
  const identity = draft.identities.get(vm.name);
  if (identity?.sealedToken === undefined || (report.startedAt === undefined && report.done === undefined)) return;
  const { sealedToken: _token, ...rest } = identity;
  draft.putIdentity(rest);
}

function jobIsOver(draft: Draft, vm: Microvm): boolean {
  if (vm.phase !== "busy" || vm.job === undefined) return false;
  const job = draft.jobs.get(vm.job);
  return job === undefined || isFinished(job.status);
}

function followDone(draft: Draft, vm: Microvm, done: NonNullable<GuestReport["done"]>): void {
  if (vm.phase !== "busy") {
    retire(draft, vm);
    return;
  }
  if (!draft.reached(done.at + afterDoneMs)) return;
  // The guest itself said that nothing runs on it any more: there is nothing to wait for.
  retire(
    draft,
    { ...vm, jobDeadlineAt: draft.now },
    { code: "FR-GUEST-LOST", message: "its runner ended while the forge says that its job runs" },
  );
}

function followDeadlines(draft: Draft, vm: Microvm, report: GuestReport): void {
  if (vm.jobDeadlineAt !== undefined && draft.reached(vm.jobDeadlineAt)) {
    retire(draft, vm, { code: "FR-JOB-TIMEOUT", message: "its job ran beyond the pool's maxJobTimeoutS" });
    return;
  }
  const heardAt = Math.max(report.claimedAt, draft.snapshot.heardAt.get(vm.name) ?? 0, draft.snapshot.listeningSince);
  if (!draft.reached(heardAt + silenceMs)) return;
  retire(draft, vm, { code: "FR-GUEST-LOST", message: `its guest was not heard for ${silenceMs / 1000} s` });
}
