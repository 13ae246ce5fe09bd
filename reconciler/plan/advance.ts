import { bootStagesOf } from "../model/boot-stages.js";
import type { GuestReport } from "../model/front-door.js";
import { isFinished } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import { noteFailure, settleHost } from "./backoff.js";
import type { Draft } from "./draft.js";
import { noteImagesRan } from "./image-spread.js";
import { toldToEnd } from "./parting.js";
import type { HostObservation } from "./snapshot.js";
import { whyNotCreated } from "./why-not-created.js";

/** How long a claimed guest may be silent: six of its heartbeats. */
export const silenceMs = 60_000;
/** How long a runner may wait for a job: longer than its guest lets it wait, and ends it when it does not end by itself. */
const noJobMs = 600_000;
/** How long the forge may say "running" after the guest said that its runner ended. */
export const afterDoneMs = 60_000;
/** After this a Create that was sent can no longer arrive: its own deadline, and as much again. */
const createDoubtMs = 20_000;
/** How long after that a host may take to be listed before its microVM is given up. */
const listInVainMs = 10_000;
/** A host that tried this often to create a microVM does not get it done, where its pool does not say otherwise. */
const createTries = 3;
/** What the forge gets beyond a job's own limit: it ends the job, this only ends what it forgot. */
const overtimeMs = 60_000;

/** Moves every microVM on by what its host, its guest and its forge say, and by its deadlines. */
export function advanceMicrovms(draft: Draft): void {
  for (const vm of draft.microvms.values()) {
    const seen = followHost(draft, vm);
    if (!isLeaving(seen)) followGuest(draft, seen, draft.snapshot.guestReports.get(seen.name));
  }
}

/** Tells a microVM to go. From here it never returns to supply; whatever runs on it may end until the deadline. */
export function retire(draft: Draft, vm: Microvm, failure?: Microvm["failure"]): Microvm {
  const jobDeadlineAt = vm.jobDeadlineAt ?? jobDeadline(draft, vm);
  const retired = draft.putMicrovm({
    ...vm,
    phase: "draining",
    drainingAt: draft.now,
    jobDeadlineAt,
    ...(failure === undefined ? {} : { failure }),
  });
  if (failure !== undefined) {
    noteFailure(draft, retired, failure);
    draft.event("MicrovmFailed", { kind: "microvm", name: vm.name }, `${failure.code}: ${failure.message}`, vm.traceId);
  }
  return retired;
}

/** Until when a job that runs on a microVM since `since` may go on. */
export function jobDeadline(draft: Draft, vm: Microvm, since = draft.now): number {
  return since + (draft.pools.get(vm.pool)?.spec.maxJobTimeoutS ?? 3600) * 1000 + overtimeMs;
}

function followHost(draft: Draft, vm: Microvm): Microvm {
  if (vm.failure !== undefined && !isLeaving(vm)) return retire(draft, vm, vm.failure);
  if (vm.createSentAt === undefined || vm.absentAt !== undefined) return vm;
  const host = draft.hosts.get(vm.host);
  if (host?.standing === "forgotten") return vanish(draft, vm, `host "${vm.host}" was forgotten`);
  const observation = host?.observation;
  if (vm.uid === undefined) return findByName(draft, vm, vm.createSentAt, observation);
  if (observation === undefined) return vm;
  const shown = observation.microvms.get(vm.uid);
  if (shown === undefined) {
    // Only a list that was asked for after the host had answered Create can miss it.
    return observation.startedAt > (vm.createdAt ?? vm.createSentAt) ? vanish(draft, vm, `host "${vm.host}" no longer shows it`) : vm;
  }
  if (vm.phase !== "creating" && vm.phase !== "booting") return vm;
  const tries = draft.pools.get(vm.pool)?.spec.createTries ?? createTries;
  if (shown.state === "failed" || shown.retry >= tries)
    return retire(draft, vm, { code: "FR-VM-CREATE-FAILED", message: whyNotCreated(vm, shown) });
  if (vm.phase === "creating" && shown.state === "created") return draft.putMicrovm({ ...vm, phase: "booting" });
  return vm;
}

/** After a Create whose answer was lost, the name tells whether it arrived. */
function findByName(draft: Draft, vm: Microvm, createSentAt: number, observation: HostObservation | undefined): Microvm {
  if (draft.isInFlight(`host:${vm.name}`)) return vm;
  for (const shown of observation?.microvms.values() ?? []) {
    if (shown.name === vm.name) return draft.putMicrovm({ ...vm, uid: shown.uid });
  }
  // A Create of the leader before may be under way for as long as ever, and so may one over which the clock was set forward.
  const certainAt = Math.max(createSentAt, draft.snapshot.listeningSince) + createDoubtMs;
  if (observation !== undefined && observation.startedAt >= certainAt) {
    const absent = draft.putMicrovm({ ...vm, absentAt: draft.now });
    if (isLeaving(absent)) return absent;
    return retire(draft, absent, { code: "FR-VM-CREATE-FAILED", message: `host "${vm.host}" never showed it after Create` });
  }
  if (vm.phase !== "creating" || !draft.reached(certainAt + listInVainMs)) return vm;
  return retire(draft, vm, { code: "FR-HOST-UNREACHABLE", message: `host "${vm.host}" neither answered Create nor could be listed since` });
}

/** Nothing is left of it on its host: what was to be removed there is gone, and its runner need not be waited for. */
function vanish(draft: Draft, vm: Microvm, message: string): Microvm {
  const ended = isLeaving(vm) || draft.snapshot.guestReports.get(vm.name)?.done !== undefined;
  const leaving = isLeaving(vm) ? vm : retire(draft, vm, ended ? undefined : { code: "FR-VM-VANISHED", message });
  return draft.putMicrovm({ ...leaving, phase: "deleting", absentAt: draft.now });
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
  if (jobIsOver(draft, assigned)) retire(draft, assigned);
  else if (report.done !== undefined) followDone(draft, assigned, report.done);
  else followDeadlines(draft, assigned, report);
}

function awaitClaim(draft: Draft, vm: Microvm): void {
  // What its host has not shown yet does not boot: whether it is there at all is found out first.
  if (vm.createSentAt === undefined || vm.uid === undefined) return;
  const bootTimeoutMs = (draft.pools.get(vm.pool)?.spec.bootTimeoutS ?? 120) * 1000;
  const since = Math.max(vm.createSentAt, draft.snapshot.listeningSince);
  if (!draft.reached(since + bootTimeoutMs)) return;
  const why = `its guest did not get so far, and only its console tells why (firerunner logs --console ${vm.name})`;
  retire(draft, vm, { code: "FR-VM-BOOT-TIMEOUT", message: `no claim within ${bootTimeoutMs / 1000} s: ${why}` });
}

function claim(draft: Draft, vm: Microvm, report: GuestReport): Microvm {
  settleHost(draft, vm);
  noteImagesRan(draft, vm);
  const tookMs = report.claimedAt - vm.allocatedAt;
  const stages = bootStagesOf(vm, report).map(({ stage, tookMs: ms }) => `${stage} ${ms}`);
  const firstUse = vm.firstUse === true ? ", the first use of its image on the host" : "";
  draft.event(
    "MicrovmClaimed",
    { kind: "microvm", name: vm.name },
    `its guest claimed after ${tookMs} ms (${stages.join(", ")})${firstUse}`,
    vm.traceId,
  );
  return draft.putMicrovm({ ...vm, phase: vm.phase === "busy" ? "busy" : "parked", claimedAt: report.claimedAt });
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
  // The guest itself said that nothing runs on it any more. Only a forge that was read since contradicts it.
  const polledAt = draft.connections.get(vm.connection)?.polledAt;
  const contradicted = polledAt !== undefined && polledAt > done.at;
  const why = done.why === undefined ? "" : `: ${done.why}`;
  const message = `its runner ended while the forge says that its job runs${why}`;
  retire(draft, { ...vm, jobDeadlineAt: draft.now }, contradicted ? { code: "FR-GUEST-LOST", message } : undefined);
}

function followDeadlines(draft: Draft, vm: Microvm, report: GuestReport): void {
  if (vm.jobDeadlineAt !== undefined && draft.reached(vm.jobDeadlineAt)) {
    retire(draft, toldToEnd(draft, vm), { code: "FR-JOB-TIMEOUT", message: "its job ran beyond the pool's maxJobTimeoutS" });
    return;
  }
  if (vm.phase === "assigned" && report.startedAt !== undefined) {
    const waitsSince = Math.max(report.startedAt, draft.snapshot.listeningSince);
    if (draft.reached(waitsSince + noJobMs)) {
      retire(draft, vm, { code: "FR-VM-NO-JOB", message: `its runner took no job in ${noJobMs / 60_000} minutes` });
      return;
    }
  }
  if (!draft.reached(heardAtOf(draft, vm, report) + silenceMs)) return;
  retire(draft, vm, { code: "FR-GUEST-LOST", message: `its guest was not heard for ${silenceMs / 1000} s` });
}

/** When a guest was heard last; for the time in which nobody listened it is not to blame. */
export function heardAtOf(draft: Draft, vm: Microvm, report: GuestReport): number {
  return Math.max(report.claimedAt, draft.snapshot.heardAt.get(vm.name) ?? 0, draft.snapshot.listeningSince);
}
