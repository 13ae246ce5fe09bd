import { type Condition, conditionKey } from "../model/condition.js";
import type { Microvm } from "../model/microvm.js";
import { classKey, type RunnerClass } from "../model/runner-class.js";
import type { Draft } from "./draft.js";

const firstMs = 5_000;
const longestMs = 300_000;
/** A condition that held nothing back for this long is forgotten, and the count begins again. */
const rememberMs = 600_000;

const classSubject = (c: RunnerClass) => ({ subject: { kind: "class", name: classKey(c) }, type: "NoJobTaken" });
const hostSubject = (host: string) => ({ subject: { kind: "host", name: host }, type: "CreateFailing" });

/** Failures that are the host's: it could not make the microVM. */
const hostFailures: ReadonlySet<string> = new Set([
  "FR-FLINTLOCK-REJECTED",
  "FR-FLINTLOCK-UNKNOWN",
  "FR-VM-CREATE-FAILED",
  "FR-HOST-UNREACHABLE",
]);
/** Failures that another microVM of the class would most likely repeat. */
const classFailures: ReadonlySet<string> = new Set(["FR-VM-BOOT-TIMEOUT", "FR-INVALID", "FR-GUEST-RESTARTED"]);

/** Learns from the end of a microVM: a class or host whose microVMs fail in a row is tried again later and later. */
export function noteEnd(draft: Draft, vm: Microvm): void {
  if (vm.job !== undefined) return;
  const code = vm.failure?.code;
  if (code !== undefined && hostFailures.has(code)) {
    holdBack(draft, hostSubject(vm.host), code, vm.failure?.message ?? "");
    return;
  }
  const endedByItself = code === undefined && draft.snapshot.guestReports.get(vm.name)?.done !== undefined;
  if (!endedByItself && (code === undefined || !classFailures.has(code))) return;
  holdBack(
    draft,
    classSubject({ pool: vm.pool, size: vm.sizeName }),
    code ?? "FR-VM-NO-JOB",
    vm.failure?.message ?? "its runner ended without taking a job",
  );
}

/** A microVM of the class took a job: its way is clear again. */
export function settleClass(draft: Draft, vm: Microvm): void {
  settle(draft, conditionKey(classSubject({ pool: vm.pool, size: vm.sizeName })));
}

/** A guest on the host claimed: the host makes microVMs. */
export function settleHost(draft: Draft, host: string): void {
  settle(draft, conditionKey(hostSubject(host)));
}

/** Until when nothing new is made for the class, with the reason; undefined when nothing holds it back. */
export function classHeldBack(draft: Draft, runnerClass: RunnerClass): Condition | undefined {
  return heldBack(draft, conditionKey(classSubject(runnerClass)));
}

/** Until when nothing new is placed on the host. */
export function hostHeldBack(draft: Draft, host: string): Condition | undefined {
  return heldBack(draft, conditionKey(hostSubject(host)));
}

/** Forgets what has held nothing back for long. */
export function pruneConditions(draft: Draft): void {
  for (const [key, { until }] of draft.conditions) {
    if (until !== undefined && draft.reached(until + rememberMs)) draft.dropCondition(key);
  }
}

function heldBack(draft: Draft, key: string): Condition | undefined {
  const condition = draft.conditions.get(key);
  return condition?.until === undefined || draft.reached(condition.until) ? undefined : condition;
}

function holdBack(draft: Draft, subject: Pick<Condition, "subject" | "type">, reason: string, message: string): void {
  const count = (draft.conditions.get(conditionKey(subject))?.count ?? 0) + 1;
  const until = draft.now + Math.min(firstMs * 2 ** Math.min(count - 1, 10), longestMs);
  draft.putCondition({ ...subject, status: true, reason, message, observedAt: draft.now, count, until });
}

function settle(draft: Draft, key: string): void {
  if (draft.conditions.has(key)) draft.dropCondition(key);
}
