import type { Identity } from "../model/identity.js";
import { isFinished } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import { restAddress } from "./addresses.js";
import { afterDoneMs, heardAtOf, silenceMs } from "./advance.js";
import { endedWithoutJob, noteNoJobTaken } from "./backoff.js";
import { tellStuck } from "./delete-stuck.js";
import type { Draft } from "./draft.js";
import { toldToEnd } from "./parting.js";

/** How often a runner whose microVM shall go is asked again what it runs: while its job runs, and when that is over. */
const askAgainMs = { running: 10_000, over: 2_000 } as const;

/** How long a microVM without a runner on record waits for the forge to be searched for one. */
const sweepInVainMs = 600_000;

/** Takes leaving microVMs through their removal: runner paused, settled and idle, then deleted until gone. */
export function removeMicrovms(draft: Draft): void {
  for (const vm of draft.microvms.values()) {
    const current = vm.phase === "draining" ? drain(draft, vm) : vm;
    if (current.phase === "deleting") remove(draft, current);
  }
}

/** Removes the runners of microVMs that are gone, and pauses those whose microVM has its job. */
export function removeIdentities(draft: Draft): void {
  for (const identity of draft.identities.values()) {
    const vm = draft.microvms.get(identity.vm);
    if (vm === undefined) {
      removeIdentity(draft, identity.vmGoneAt === undefined ? leave(draft, identity) : identity);
    } else if (identity.state === "leaving" && !vm.identity) {
      // It was given back: its microVM stays, and may get another when this one is gone.
      removeIdentity(draft, identity);
      if (!draft.identities.has(identity.vm)) draft.again();
    } else if (identity.state === "ready" && identity.runnerId === undefined && identity.absent !== true) {
      // Its forge has another address since it was made there.
      draft.begin({ kind: "findRunner", vm: identity.vm, connection: identity.connection });
    } else if (vm.phase === "busy" && identity.runnerId !== undefined && identity.pausedAt === undefined && identity.absent !== true) {
      // One credential yields one job: the running one needs only its own token.
      draft.begin({ kind: "pauseRunner", vm: identity.vm, connection: identity.connection, runnerId: identity.runnerId });
    }
  }
}

/** What a guest said goes with its microVM: also when the store was slow, and it was written down after that was gone. */
export function dropReports(draft: Draft): void {
  for (const name of draft.snapshot.guestReports.keys()) if (!draft.microvms.has(name)) draft.dropGuestReport(name);
}

/**
 * Whether the guest may have been given a runner's token: only one that claimed can have been, while the runner is known. A claim
 * that another replica took after its microVM was told to be deleted was given none.
 */
export function mayHoldCredential(draft: Draft, vm: Microvm): boolean {
  if (!vm.identity && !draft.identities.has(vm.name)) return false;
  return vm.claimedAt !== undefined || (vm.phase !== "deleting" && draft.snapshot.guestReports.has(vm.name));
}

function drain(draft: Draft, vm: Microvm): Microvm {
  const identity = draft.identities.get(vm.name);
  const left = identity === undefined ? undefined : leave(draft, identity);
  if (left === undefined && vm.claimedAt !== undefined && !isSwept(draft, vm)) return vm;
  const mayGo = left === undefined || !mayHoldCredential(draft, vm) || isOverdue(draft, vm) || hasEnded(draft, vm, left);
  if (!mayGo) return vm;
  // A guest that claims in this very moment is given its runner's token, until it is written down that it leaves.
  if (left !== undefined) draft.demandSilence(vm.name);
  const claimedAt = vm.claimedAt ?? draft.snapshot.guestReports.get(vm.name)?.claimedAt;
  return draft.putMicrovm({ ...vm, phase: "deleting", deletingAt: draft.now, ...(claimedAt === undefined ? {} : { claimedAt }) });
}

/**
 * Whether the forge was searched for runners without a record, since this process leads, or could not be for long. Where the store
 * was rolled back, one of them may be this microVM's, and run a job.
 */
function isSwept(draft: Draft, vm: Microvm): boolean {
  const connection = draft.connections.get(vm.connection);
  if (connection === undefined || connection.sweptAt !== undefined) return true;
  return draft.reached(Math.max(vm.drainingAt ?? draft.now, draft.snapshot.listeningSince) + sweepInVainMs);
}

/** Marks an identity as leaving; its token is needed no more. */
export function leave(draft: Draft, identity: Identity): Identity {
  if (identity.state === "leaving") return identity;
  const { sealedToken: _token, ...rest } = identity;
  const leaving: Identity = { ...rest, state: "leaving", ...(isUnasked(identity) ? { absent: true } : {}) };
  draft.putIdentity(leaving);
  return leaving;
}

/** Whether the forge was never asked to make the runner. */
const isUnasked = (identity: Identity): boolean => identity.attempts === 0 && identity.runnerId === undefined;

/**
 * Whether it goes whatever the forge says: its job's time is up, or its guest said that nothing runs any more, long enough
 * ago or because it was told to end.
 */
function isOverdue(draft: Draft, vm: Microvm): boolean {
  const report = draft.snapshot.guestReports.get(vm.name);
  if (report?.done !== undefined && vm.endAskedAt !== undefined) return true;
  const endedAt = report?.done?.at ?? (report?.fault?.code === "FR-GUEST-RESTARTED" ? report.fault.at : undefined);
  if (endedAt !== undefined && draft.reached(endedAt + afterDoneMs)) return true;
  if (vm.jobDeadlineAt === undefined || !draft.reached(vm.jobDeadlineAt)) return false;
  if (vm.endAskedAt !== undefined || report === undefined || endedAt !== undefined) return true;
  const told = draft.putMicrovm(toldToEnd(draft, vm));
  return told.jobDeadlineAt !== undefined && draft.reached(told.jobDeadlineAt);
}

/** Whether nothing runs on it, and it is known what did. */
function hasEnded(draft: Draft, vm: Microvm, identity: Identity): boolean {
  const idle = isIdle(draft, identity, vm);
  const { done } = draft.snapshot.guestReports.get(vm.name) ?? {};
  if (done === undefined || !endedWithoutJob(draft, vm)) return idle;
  const polledAt = draft.connections.get(vm.connection)?.polledAt;
  if (polledAt !== undefined && polledAt > done.at) return idle;
  // A short job may be over before anything was heard of it: the forge tells whose it was.
  draft.toPoll.add(vm.connection);
  return false;
}

/** Whether the forge has confirmed, after the settling time, that the runner runs nothing; otherwise the next question is asked. */
function isIdle(draft: Draft, identity: Identity, microvm?: Microvm): boolean {
  if (identity.absent === true) return microvm === undefined || !mayStillRun(draft, identity, microvm);
  const { vm, connection, runnerId } = identity;
  if (runnerId === undefined) {
    draft.begin({ kind: "findRunner", vm, connection });
    return false;
  }
  if (identity.pausedAt === undefined) {
    draft.begin({ kind: "pauseRunner", vm, connection, runnerId });
    return false;
  }
  if (!draft.reached(identity.pausedAt + draft.snapshot.schedules.settleMs)) return false;
  const answer = settledAnswer(draft, identity);
  if (answer?.count === 0) return true;
  const job = draft.jobs.get(microvm?.job ?? "");
  const againMs = job === undefined || isFinished(job.status) ? askAgainMs.over : askAgainMs.running;
  if (answer === undefined || draft.reached(answer.at + againMs)) {
    draft.begin({ kind: "readRunningJobs", vm, connection, runnerId });
  }
  return false;
}

/** What the forge said of the runner's jobs after it was paused and all that was on its way had settled. */
function settledAnswer(draft: Draft, { pausedAt, runningJobs }: Identity): Identity["runningJobs"] {
  const isSettled = pausedAt !== undefined && runningJobs !== undefined && runningJobs.at >= pausedAt + draft.snapshot.schedules.settleMs;
  return isSettled ? runningJobs : undefined;
}

/**
 * A runner that somebody deleted may have taken a job before, which needs no more than its own token: while its guest is heard
 * and does not say that it has ended, it is waited for.
 */
function mayStillRun(draft: Draft, identity: Identity, vm: Microvm): boolean {
  const report = draft.snapshot.guestReports.get(vm.name);
  if (identity.runnerId === undefined || report?.startedAt === undefined || report.done !== undefined || report.fault !== undefined)
    return false;
  const job = draft.jobs.get(vm.job ?? "");
  if (job !== undefined && isFinished(job.status)) return false;
  return !draft.reached(heardAtOf(draft, vm, report) + silenceMs);
}

function remove(draft: Draft, vm: Microvm): void {
  if (draft.isInFlight(`host:${vm.name}`)) return;
  if (vm.createSentAt === undefined || vm.absentAt !== undefined) {
    gone(draft, vm);
    return;
  }
  tellStuck(draft, vm);
  // Without an id the host is listed until the name shows up or can no longer do so.
  if (vm.uid === undefined) return;
  draft.begin({ kind: vm.deleteAcceptedAt === undefined ? "deleteOnHost" : "checkGone", vm: vm.name, host: vm.host, uid: vm.uid });
}

/** The microVM is confirmed gone: its place and address are free, its record moves to the events. */
function gone(draft: Draft, vm: Microvm): void {
  if (endedWithoutJob(draft, vm)) noteNoJobTaken(draft, vm);
  draft.dropMicrovm(vm.name);
  restAddress(draft, vm);
  const fate = vm.failure === undefined ? (vm.job === undefined ? "without a job" : `after job ${vm.job}`) : `after ${vm.failure.code}`;
  draft.event("MicrovmGone", { kind: "microvm", name: vm.name }, `gone from ${vm.host} ${fate}`, vm.traceId);
  const identity = draft.identities.get(vm.name);
  if (identity === undefined) return;
  // It may have had a job that nobody knew of yet, which the forge would wait for in vain.
  const isUnread = vm.job === undefined && mayHoldCredential(draft, vm) && settledAnswer(draft, identity) === undefined;
  draft.putIdentity({ ...leave(draft, identity), vmGoneAt: draft.now, ...(isUnread ? { jobsUnread: true } : {}) });
}

function removeIdentity(draft: Draft, identity: Identity): void {
  if (draft.isInFlight(`runner:${identity.vm}`)) return;
  if (identity.absent === true) {
    draft.dropIdentity(identity.vm);
    return;
  }
  if (!mayBeDeleted(draft, identity)) return;
  const { vm, connection, runnerId } = identity;
  draft.begin(runnerId === undefined ? { kind: "findRunner", vm, connection } : { kind: "deleteRunner", vm, connection, runnerId });
}

/** Once its microVM is gone nothing can run on it: the forge is only asked whose job is lost, where that is not known. */
function mayBeDeleted(draft: Draft, identity: Identity): boolean {
  if (identity.vmGoneAt === undefined) return isIdle(draft, identity);
  return identity.jobsUnread !== true || settledAnswer(draft, identity) !== undefined || isIdle(draft, identity);
}
