import { type Condition, conditionKey } from "../model/condition.js";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import { classKey, type RunnerClass } from "../model/runner-class.js";
import type { Draft } from "./draft.js";
import { likelyCauses } from "./likely-causes.js";

const firstMs = 5_000;
const longestMs = 300_000;
/** A condition that held nothing back for this long is forgotten, and the count begins again. */
const rememberMs = 600_000;

const classSubject = (c: RunnerClass) => ({ subject: { kind: "class", name: classKey(c) }, type: "NoJobTaken" });
const classSubjectOf = (vm: Microvm) => classSubject({ pool: vm.pool, size: vm.sizeName });
const hostSubject = (host: string) => ({ subject: { kind: "host", name: host }, type: createFailing });
const imageSubject = (host: string, image: string) => ({ subject: { kind: "host-image", name: `${host}/${image}` }, type: createFailing });

/** The condition of a host that makes no microVMs: of any image (kind `host`), or of one (kind `host-image`, named `HOST/IMAGE`). */
export const createFailing = "CreateFailing";

/** What becomes of a microVM whose runner somebody deleted in the forge. */
export const runnerDeleted = {
  code: "FR-FORGE-RUNNER-DELETED",
  message: "its runner was deleted in the forge before it took a job",
} as const;

/** Failures that are the host's, whatever it is to boot. */
const hostFailures: ReadonlySet<string> = new Set(["FR-HOST-UNAUTHORIZED", "FR-HOST-UNREACHABLE"]);
/** Failures of a host with an image: nobody tells which of them it is. Those of the others that count are the class's. */
const imageFailures: ReadonlySet<string> = new Set([
  "FR-FLINTLOCK-REJECTED",
  "FR-FLINTLOCK-UNKNOWN",
  "FR-VM-CREATE-FAILED",
  "FR-VM-VANISHED",
]);

/**
 * Learns from a failure at once, so that the microVM's own replacement waits already, or goes elsewhere: what fails in a row is tried again later and later. What failed after a job had begun says nothing about the next one.
 */
export function noteFailure(draft: Draft, vm: Microvm, failure: NonNullable<Microvm["failure"]>): void {
  if (vm.job !== undefined) return;
  holdBack(draft, whoseFailure(vm, failure.code), failure.code, failure.message);
}

function whoseFailure(vm: Microvm, code: string): Pick<Condition, "subject" | "type"> {
  if (hostFailures.has(code)) return hostSubject(vm.host);
  return imageFailures.has(code) ? imageSubject(vm.host, vm.image) : classSubjectOf(vm);
}

/** Whether the guest itself ended, and no job is known that it ran. */
export function endedWithoutJob(draft: Draft, vm: Microvm): boolean {
  const done = draft.snapshot.guestReports.get(vm.name)?.done;
  return done !== undefined && vm.job === undefined && vm.failure === undefined && done.at <= (vm.drainingAt ?? draft.now);
}

/** A microVM is gone, and no job was found that it ran although jobs of its class still wait: the next one waits a little. */
export function noteNoJobTaken(draft: Draft, vm: Microvm): void {
  const waiting = [...draft.jobs.values()].find((job) => job.status === "pending" && job.pool === vm.pool && job.size === vm.sizeName);
  if (waiting === undefined) return;
  const identity = draft.identities.get(vm.name);
  const wasDeleted = identity?.absent === true && identity.runnerId !== undefined;
  if (wasDeleted) holdBack(draft, classSubjectOf(vm), runnerDeleted.code, runnerDeleted.message);
  else holdBack(draft, classSubjectOf(vm), "FR-VM-NO-JOB", whyNoJob(draft, vm, waiting));
}

function whyNoJob(draft: Draft, vm: Microvm, waiting: Job): string {
  const why = draft.snapshot.guestReports.get(vm.name)?.done?.why;
  if (why !== undefined) return `its guest ended without a job: ${why}`;
  return `its runner ended without taking a job; ${likelyCauses(draft, vm, waiting)}`;
}

/** A microVM of the class took a job: its way is clear again. */
export function settleClass(draft: Draft, vm: Microvm): void {
  settle(draft, conditionKey(classSubjectOf(vm)));
}

/** The guest of a microVM claimed: its host makes microVMs, and boots its image. */
export function settleHost(draft: Draft, { host, image }: Microvm): void {
  settle(draft, conditionKey(hostSubject(host)));
  settle(draft, conditionKey(imageSubject(host, image)));
}

/** Until when nothing new is made for the class, with the reason; undefined when nothing holds it back. */
export function classHeldBack(draft: Draft, runnerClass: RunnerClass): Condition | undefined {
  return heldBack(draft, conditionKey(classSubject(runnerClass)));
}

/** Until when nothing new is placed on the host. */
export function hostHeldBack(draft: Draft, host: string): Condition | undefined {
  return heldBack(draft, conditionKey(hostSubject(host)));
}

/** Until when nothing of this image is placed on the host. */
export function imageHeldBack(draft: Draft, host: string, image: string): Condition | undefined {
  return heldBack(draft, conditionKey(imageSubject(host, image)));
}

/**
 * Since when the host gets one microVM of the image at a time, on trial: a claim makes an end of it, another failure begins
 * the next pause. Undefined when nothing failed.
 */
export function onTrialSince(draft: Draft, host: string, image: string): number | undefined {
  const [ofHost, ofImage] = [hostSubject(host), imageSubject(host, image)].map(
    (subject) => draft.conditions.get(conditionKey(subject))?.until,
  );
  return ofHost === undefined || ofImage === undefined ? (ofHost ?? ofImage) : Math.max(ofHost, ofImage);
}

/** Forgets what has held nothing back for long, and what was true of hosts, connections and microVMs that are no more. */
export function pruneConditions(draft: Draft): void {
  for (const [key, { subject, until }] of draft.conditions) {
    const isPast = until !== undefined && draft.reached(until + rememberMs);
    if (isPast || isOfNobody(draft, subject)) draft.dropCondition(key);
  }
}

function isOfNobody(draft: Draft, { kind, name }: Condition["subject"]): boolean {
  if (kind === "microvm") return !draft.microvms.has(name);
  if (kind === "connection") return !draft.connections.has(name);
  if (kind === "pool") return !draft.pools.has(name);
  const isOfHost = kind === "host" || kind === "host-image" || kind === "address";
  return isOfHost && !draft.hosts.has(name.split("/")[0] ?? "");
}

function heldBack(draft: Draft, key: string): Condition | undefined {
  const condition = draft.conditions.get(key);
  return condition?.until === undefined || draft.reached(condition.until) ? undefined : condition;
}

function holdBack(draft: Draft, subject: Pick<Condition, "subject" | "type">, reason: string, message: string): void {
  const known = draft.conditions.get(conditionKey(subject));
  // Those that fail together failed once: they were begun before anything was known.
  if (known?.until !== undefined && known.until > draft.now) return;
  const count = (known?.count ?? 0) + 1;
  const until = draft.now + Math.min(firstMs * 2 ** Math.min(count - 1, 10), longestMs);
  draft.putCondition({ ...subject, status: true, reason, message, observedAt: draft.now, count, until });
}

function settle(draft: Draft, key: string): void {
  if (draft.conditions.has(key)) draft.dropCondition(key);
}
