import type { Identity } from "../model/identity.js";
import type { Microvm } from "../model/microvm.js";
import { noteEnd } from "./backoff.js";
import type { Draft } from "./draft.js";

/** How often a runner whose microVM shall go is asked again what it runs. */
const askAgainMs = 2_000;
/** How long after an accepted Delete it is repeated while the host still shows the microVM. */
const deleteAgainMs = 60_000;

/** Takes leaving microVMs through their removal: runner paused, settled and idle, then deleted until gone. */
export function removeMicrovms(draft: Draft): void {
  for (const vm of [...draft.microvms.values()]) {
    if (vm.phase === "draining") drain(draft, vm);
    const current = draft.microvms.get(vm.name);
    if (current?.phase === "deleting") remove(draft, current);
  }
}

/** Removes the runners of microVMs that are gone, and those that never had one. */
export function removeIdentities(draft: Draft): void {
  for (const identity of [...draft.identities.values()]) {
    const vm = draft.microvms.get(identity.vm);
    if (vm === undefined) {
      removeIdentity(draft, identity.vmGoneAt === undefined ? leave(draft, identity) : identity);
    } else if (vm.phase === "busy" && identity.runnerId !== undefined && identity.pausedAt === undefined && identity.absent !== true) {
      // One credential yields one job: the running one needs only its own token.
      draft.begin({ kind: "pauseRunner", vm: identity.vm, connection: identity.connection, runnerId: identity.runnerId });
    }
  }
}

function drain(draft: Draft, vm: Microvm): void {
  const identity = draft.identities.get(vm.name);
  const overdue = vm.jobDeadlineAt !== undefined && draft.reached(vm.jobDeadlineAt);
  if (identity === undefined || overdue || isIdle(draft, leave(draft, identity))) {
    draft.putMicrovm({ ...vm, phase: "deleting" });
  }
}

/** Marks an identity as leaving; one that was never asked for is simply forgotten. */
function leave(draft: Draft, identity: Identity): Identity {
  const { sealedToken: _token, ...rest } = identity;
  if (identity.state === "wanted" && identity.attempts === 0) return { ...rest, state: "leaving", absent: true };
  if (identity.state === "leaving") return identity;
  const leaving: Identity = { ...rest, state: "leaving" };
  draft.putIdentity(leaving);
  return leaving;
}

/** Whether the forge has confirmed, after the settling time, that the runner runs nothing; otherwise the next question is asked. */
function isIdle(draft: Draft, identity: Identity): boolean {
  if (identity.absent === true) return true;
  const { vm, connection, runnerId } = identity;
  if (runnerId === undefined) {
    draft.begin({ kind: "findRunner", vm, connection });
    return false;
  }
  if (identity.pausedAt === undefined) {
    draft.begin({ kind: "pauseRunner", vm, connection, runnerId });
    return false;
  }
  const settledAt = identity.pausedAt + draft.snapshot.schedules.settleMs;
  if (!draft.reached(settledAt)) return false;
  const answer = identity.runningJobs;
  if (answer !== undefined && answer.at >= settledAt && answer.count === 0) return true;
  if (answer === undefined || answer.at < settledAt || draft.reached(answer.at + askAgainMs)) {
    draft.begin({ kind: "readRunningJobs", vm, connection, runnerId });
  }
  return false;
}

function remove(draft: Draft, vm: Microvm): void {
  if (draft.isInFlight(`host:${vm.name}`)) return;
  if (vm.createSentAt === undefined || vm.absentAt !== undefined) {
    gone(draft, vm);
    return;
  }
  // Without an id the host is listed until the name shows up or can no longer do so.
  if (vm.uid === undefined) return;
  const target = { vm: vm.name, host: vm.host, uid: vm.uid };
  const acceptedAt = vm.deleteAcceptedAt;
  if (acceptedAt === undefined || draft.reached(acceptedAt + deleteAgainMs)) draft.begin({ kind: "deleteOnHost", ...target });
  else draft.begin({ kind: "checkGone", ...target });
}

/** The microVM is confirmed gone: its place and address are free, its record moves to the events. */
function gone(draft: Draft, vm: Microvm): void {
  noteEnd(draft, vm);
  draft.dropMicrovm(vm.name);
  const fate = vm.failure === undefined ? (vm.job === undefined ? "without a job" : `after job ${vm.job}`) : `after ${vm.failure.code}`;
  draft.event("MicrovmGone", { kind: "microvm", name: vm.name }, `gone from ${vm.host} ${fate}`, vm.traceId);
  const identity = draft.identities.get(vm.name);
  if (identity !== undefined) draft.putIdentity({ ...identity, state: "leaving", vmGoneAt: draft.now });
}

function removeIdentity(draft: Draft, identity: Identity): void {
  if (draft.isInFlight(`runner:${identity.vm}`)) return;
  if (identity.absent === true || (identity.runnerId === undefined && identity.attempts === 0)) {
    draft.dropIdentity(identity.vm);
    return;
  }
  if (identity.vmGoneAt === undefined && !isIdle(draft, identity)) return;
  const { vm, connection, runnerId } = identity;
  draft.begin(runnerId === undefined ? { kind: "findRunner", vm, connection } : { kind: "deleteRunner", vm, connection, runnerId });
}
