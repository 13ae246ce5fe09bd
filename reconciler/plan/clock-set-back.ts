import type { Condition } from "../model/condition.js";
import type { GuestReport } from "../model/front-door.js";
import type { Identity } from "../model/identity.js";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Draft } from "./draft.js";

/** No call lasts longer: what is written down as done later than this from now was done before the clock was set back. */
const longestCallMs = 300_000;

/** Each is asked of every microVM in every pass. */
const microvmTimes = [
  ...(["allocatedAt", "createSentAt", "createdAt", "claimedAt", "assignedAt", "busyAt", "drainingAt", "absentAt"] as const),
  ...(["deletingAt", "deleteAcceptedAt", "deleteTriedAt", "committedAt", "endAskedAt"] as const),
];

const identityTimes = ["pausedAt", "vmGoneAt"] as const;

/**
 * After the clock was set back by much, records tell of what was done at times that are yet to come: nothing would follow it
 * until then. All of it was done by now. What was done a moment ahead is waited for: a list that is under way may be older.
 */
export function settleClock(draft: Draft): void {
  for (const vm of draft.microvms.values()) {
    const settled = microvmByNow(draft, vm);
    if (settled !== vm) draft.putMicrovm(settled);
  }
  for (const identity of draft.identities.values()) {
    const settled = identityByNow(draft, identity);
    if (settled !== identity) draft.putIdentity(settled);
  }
  for (const presence of draft.presences.values()) {
    // When it was heard is another matter: it is asked to be heard again.
    const settled = byNow(draft, presence, ["unneededSince"]);
    if (settled !== presence) draft.putPresence(settled);
  }
  for (const condition of draft.conditions.values()) {
    const settled = conditionByNow(draft, condition);
    if (settled !== condition) draft.putCondition(settled);
  }
  for (const job of draft.jobs.values()) if (job.vmLoss !== undefined) settleLoss(draft, job, job.vmLoss);
}

/**
 * A guest's report belongs to the guest, and is not written anew: what it tells of times that are yet to come counts as said
 * when this process began to listen, which it does anew once the clock was set back.
 */
export function heardByNow(report: GuestReport, now: number, listeningSince: number): GuestReport {
  const settled = atLatest(now, listeningSince, report, ["claimedAt", "startedAt"]);
  const done = settled.done && atLatest(now, listeningSince, settled.done, ["at"]);
  const fault = settled.fault && atLatest(now, listeningSince, settled.fault, ["at"]);
  if (done === settled.done && fault === settled.fault) return settled;
  return { ...settled, ...(done && { done }), ...(fault && { fault }) };
}

/** A job's deadline stands as far from its beginning as before. */
function microvmByNow(draft: Draft, vm: Microvm): Microvm {
  const settled = byNow(draft, vm, microvmTimes);
  const { busyAt, jobDeadlineAt } = vm;
  if (busyAt === undefined || jobDeadlineAt === undefined || settled.busyAt === busyAt) return settled;
  return { ...settled, jobDeadlineAt: draft.now + Math.max(jobDeadlineAt - busyAt, 0) };
}

/** What its runner ran at a time that is yet to come says nothing of now: the forge is asked again. */
function identityByNow(draft: Draft, identity: Identity): Identity {
  const settled = byNow(draft, identity, identityTimes);
  if (settled.runningJobs === undefined || byNow(draft, settled.runningJobs, ["at"]) === settled.runningJobs) return settled;
  const { runningJobs: _runningJobs, ...rest } = settled;
  return rest;
}

/** What it holds back is held back for as long as before. */
function conditionByNow(draft: Draft, condition: Condition): Condition {
  const settled = byNow(draft, condition, ["observedAt"]);
  if (settled === condition || condition.until === undefined) return settled;
  return { ...settled, until: draft.now + Math.max(condition.until - condition.observedAt, 0) };
}

function settleLoss(draft: Draft, job: Job, loss: NonNullable<Job["vmLoss"]>): void {
  const settled = byNow(draft, loss, ["confirmedAt", "cancelAskedAt", "forceAskedAt", "retryAskedAt"]);
  if (settled !== loss) draft.putJob({ ...job, vmLoss: settled });
}

const byNow = <R extends object, F extends keyof R>({ now }: Draft, record: R, fields: readonly F[]): R =>
  atLatest(now, now, record, fields);

/** The same record, with another time for those that are too far ahead of now; the very same when none is. */
function atLatest<R extends object, F extends keyof R>(now: number, instead: number, record: R, fields: readonly F[]): R {
  let settled = record;
  for (const field of fields) {
    const at: unknown = record[field];
    if (typeof at === "number" && at > now + longestCallMs) settled = { ...settled, [field]: instead };
  }
  return settled;
}
