import { type Condition, conditionKey } from "../model/condition.js";
import { addressConflict } from "./addresses.js";
import { createFailing, hostHeldBack } from "./backoff.js";
import { deleteStuck } from "./delete-stuck.js";
import type { Draft } from "./draft.js";
import { freshMs } from "./place.js";
import type { HostView } from "./snapshot.js";

/** What is judged of a host; `undefined` leaves what was judged before. */
type Judgement = Pick<Condition, "status" | "reason" | "message"> | undefined;

const unknown = { status: false, reason: "Unknown" } as const;

/**
 * Tells of every host whether it answers (`Reachable`), takes new microVMs (`Accepting`), has trouble (`Degraded`) and,
 * while it drains, how far that is (`Drained`). What is not known has the reason `Unknown`. Only changes are written.
 */
export function judgeHosts(draft: Draft): void {
  const trouble = troubleByHost(draft);
  const left = whatIsLeft(draft);
  for (const view of draft.snapshot.hosts) {
    const host = view.spec.name;
    const reachable = judgeReachable(draft, view);
    put(draft, host, "Reachable", reachable);
    put(draft, host, "Accepting", judgeAccepting(draft, view, reachable));
    put(draft, host, "Degraded", judgeDegraded(trouble.get(host) ?? []), true);
    if (view.standing === "draining") put(draft, host, "Drained", judgeDrained(view, left.get(host)), true);
    else drop(draft, host, "Drained");
  }
}

function judgeReachable(draft: Draft, { spec, standing, observation, failedRead }: HostView): Judgement {
  if (standing === "forgotten") return { ...unknown, message: "it was forgotten and is not asked any more" };
  if (observation !== undefined && !draft.reached(observation.at + freshMs(draft)))
    return { status: true, reason: "Listed", message: "it answers when it is asked for its microVMs" };
  const why = failedRead === undefined ? "" : `: ${failedRead.message}`;
  if (observation !== undefined) {
    const message = `it was read last at ${timeOf(observation.at)}${why}`;
    return { status: false, reason: failedRead?.code ?? "FR-HOST-UNREACHABLE", message };
  }
  if (failedRead !== undefined) return { status: false, reason: failedRead.code, message: `it was not read since this leader began${why}` };
  // A new leader asks at once: until the answer can be here, what the one before it knew is as good.
  const isKnown = draft.conditions.has(conditionKey({ subject: { kind: "host", name: spec.name }, type: "Reachable" }));
  if (isKnown && !draft.reached(draft.snapshot.listeningSince + freshMs(draft))) return undefined;
  return { ...unknown, message: "it was not read yet since this leader began" };
}

function judgeAccepting(draft: Draft, { spec, standing }: HostView, reachable: Judgement): Judgement {
  if (standing === "cordoned") return { status: false, reason: "Cordoned", message: "an operator cordoned it" };
  if (standing === "draining") return { status: false, reason: "Draining", message: "it is being drained" };
  if (standing === "forgotten") return { status: false, reason: "Forgotten", message: "an operator gave it up" };
  if (reachable === undefined || !reachable.status) return reachable;
  const held = hostHeldBack(draft, spec.name);
  if (held !== undefined) return { status: false, reason: held.reason, message: held.message };
  return { status: true, reason: "Open", message: "it takes new microVMs" };
}

function judgeDegraded(trouble: readonly Condition[]): Judgement {
  if (trouble.length === 0) return { status: false, reason: "AsExpected", message: "nothing is wrong as far as can be seen" };
  const [first] = trouble;
  const message = [...new Set(trouble.map(({ type, subject, message }) => `${type} (${subject.name}): ${message}`))]
    .toSorted()
    .slice(0, 5)
    .join("; ");
  return { status: true, reason: first?.reason ?? "Unknown", message };
}

interface Left {
  all: number;
  withJob: number;
}

function judgeDrained({ drainDeadlineAt }: HostView, left: Left | undefined): Judgement {
  if (left === undefined) return { status: true, reason: "Empty", message: "nothing of it is in use any more" };
  const until = drainDeadlineAt === undefined ? "jobs are waited for" : `jobs are waited for until ${timeOf(drainDeadlineAt)}`;
  return { status: false, reason: "Draining", message: `microVMs left: ${left.all}, with a job: ${left.withJob}; ${until}` };
}

/** Conditions that tell of trouble, by the host that has it. */
function troubleByHost(draft: Draft): ReadonlyMap<string, readonly Condition[]> {
  const found = new Map<string, Condition[]>();
  for (const condition of draft.conditions.values()) {
    const host = hostInTrouble(draft, condition);
    if (host === undefined) continue;
    const known = found.get(host);
    if (known === undefined) found.set(host, [condition]);
    else known.push(condition);
  }
  for (const conditions of found.values()) conditions.sort((a, b) => (conditionKey(a) < conditionKey(b) ? -1 : 1));
  return found;
}

function hostInTrouble(draft: Draft, { subject, type }: Condition): string | undefined {
  if (type === addressConflict) return subject.name;
  if (type === createFailing) return subject.name.split("/")[0];
  return type === deleteStuck ? draft.microvms.get(subject.name)?.host : undefined;
}

function whatIsLeft(draft: Draft): ReadonlyMap<string, Left> {
  const draining = new Set(draft.snapshot.hosts.flatMap(({ spec, standing }) => (standing === "draining" ? [spec.name] : [])));
  const left = new Map<string, Left>();
  if (draining.size === 0) return left;
  for (const vm of draft.microvms.values()) {
    if (!draining.has(vm.host)) continue;
    const known = left.get(vm.host) ?? { all: 0, withJob: 0 };
    left.set(vm.host, { all: known.all + 1, withJob: known.withJob + (vm.job === undefined ? 0 : 1) });
  }
  return left;
}

/** Writes a judgement that differs from the one before: in status or reason, and in its words where these tell of progress. */
function put(draft: Draft, host: string, type: string, judged: Judgement, byMessage = false): void {
  if (judged === undefined) return;
  const subject = { kind: "host", name: host };
  const known = draft.conditions.get(conditionKey({ subject, type }));
  if (known?.status === judged.status && known.reason === judged.reason && (!byMessage || known.message === judged.message)) return;
  draft.putCondition({ subject, type, ...judged, observedAt: draft.now, count: 0 });
}

function drop(draft: Draft, host: string, type: string): void {
  const key = conditionKey({ subject: { kind: "host", name: host }, type });
  if (draft.conditions.has(key)) draft.dropCondition(key);
}

/** A time in words; one that is further away than calendars reach is the last that they know. */
const timeOf = (at: number): string => new Date(Math.min(at, 8.64e15)).toISOString();
