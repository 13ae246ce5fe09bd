import { type Identity, parseRunnerDescription } from "../model/identity.js";
import { isFinished, isRunning, type Job, jobKey, type WaitingReason } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import { forgeGivesUpAt } from "../model/presence.js";
import { jobDeadline } from "./advance.js";
import { settleClass } from "./backoff.js";
import type { Draft } from "./draft.js";
import { Mapping } from "./mapping.js";

/** How long a finished job is remembered. */
const historyMs = 24 * 3_600_000;
/** How long one that was retried for a lost microVM is: no job runs for longer, and its like is not retried again. */
const retryMemoryMs = 8 * 24 * 3_600_000;
/** How many of them: every pass looks at each. */
const historyJobs = 10_000;

/** After so long a waiting job's reason says when the forge may give it up. */
const tellsEndMs = 900_000;

/** Maps pending jobs to pools, and running and finished ones to the microVMs whose runners the forge names. */
export function mapJobs(draft: Draft): void {
  const mapping = new Mapping(draft);
  const unjoined: Job[] = [];
  for (const [key, read] of draft.jobs) {
    const job = readByNow(draft, read);
    if (!draft.connections.has(job.connection)) forget(draft, key, job);
    else if (job.status === "pending") mapToPool(draft, job, mapping);
    else if (job.runnerId !== undefined && job.vm === undefined && (isRunning(job.status) || isFinished(job.status))) unjoined.push(job);
  }
  joinMicrovms(draft, unjoined);
}

/** After the clock was set back, what is read from here on is newer than what was read at times that are yet to come. */
function readByNow(draft: Draft, job: Job): Job {
  if (job.readAt <= draft.now) return job;
  const read = { ...job, readAt: draft.now };
  draft.putJob(read);
  return read;
}

/** Forgets finished jobs that are older than the history, and the oldest of too many. */
export function pruneJobs(draft: Draft): void {
  const kept: [number, string][] = [];
  for (const [key, job] of draft.jobs) {
    if (!isFinished(job.status)) continue;
    const finishedAt = job.finishedAt ?? job.readAt;
    const wasRetried = job.vmLoss?.retryAskedAt !== undefined;
    if (draft.reached(finishedAt + (wasRetried ? retryMemoryMs : historyMs))) draft.dropJob(key);
    else if (!wasRetried) kept.push([finishedAt, key]);
  }
  if (kept.length <= historyJobs) return;
  kept.sort(([a, aKey], [b, bKey]) => a - b || (aKey < bKey ? -1 : 1));
  for (const [, key] of kept.slice(0, kept.length - historyJobs)) draft.dropJob(key);
}

/** A removed connection's jobs are nobody's, once no microVM runs them. */
function forget(draft: Draft, key: string, job: Job): void {
  if (!isFinished(job.status) && (job.vm === undefined || !draft.microvms.has(job.vm))) draft.dropJob(key);
}

function mapToPool(draft: Draft, job: Job, mapping: Mapping): void {
  const mapped = mapping.of(job);
  if ("runnerClass" in mapped) {
    const { pool, size } = mapped.runnerClass;
    if (job.pool !== pool || job.size !== size) draft.putJob({ ...job, pool, size });
    return;
  }
  const { pool: _pool, size: _size, ...unmapped } = job;
  if (job.pool !== undefined) draft.putJob(unmapped);
  explain(draft, unmapped, mapped.reason);
}

/** Writes why a job waits, unless that is what its record says already; of one that waits long also what may become of it. */
export function explain(draft: Draft, job: Job, cause: WaitingReason): void {
  const reason = withEnd(draft, job, cause);
  if (job.waitingReason?.code === reason.code && job.waitingReason.message === reason.message) return;
  draft.putJob({ ...job, waitingReason: reason });
}

function withEnd(draft: Draft, job: Job, reason: WaitingReason): WaitingReason {
  if (!draft.reached(job.queuedAt + tellsEndMs) || hasPresence(draft, job)) return reason;
  const at = new Date(Math.min(forgeGivesUpAt(job), 8.64e15)).toISOString();
  return { ...reason, message: `${reason.message}; from ${at} on the forge may fail it, unless it sees a runner for it` };
}

function hasPresence(draft: Draft, { pool, size }: Job): boolean {
  for (const presence of draft.presences.values()) {
    if (presence.pool === pool && presence.size === size && presence.state !== "leaving" && presence.heardAt !== undefined) return true;
  }
  return false;
}

function joinMicrovms(draft: Draft, jobs: readonly Job[]): void {
  if (jobs.length === 0) return;
  const byRunner = new Map([...draft.connections.keys()].map((name) => [name, new Map<number, Identity>()]));
  for (const identity of draft.identities.values()) {
    if (identity.runnerId !== undefined) byRunner.get(identity.connection)?.set(identity.runnerId, identity);
  }
  for (const job of jobs) {
    const identity = byRunner.get(job.connection)?.get(job.runnerId ?? 0);
    const vm = draft.microvms.get(identity?.vm ?? "");
    if (vm !== undefined) joinMicrovm(draft, job, vm);
    else if (identity?.vmGoneAt !== undefined) joinGone(draft, job, identity);
  }
}

/** Its microVM was gone before anybody knew that it had the job. Without that certainty it may only not be found yet. */
function joinGone(draft: Draft, { waitingReason: _reason, ...job }: Job, { vm, description }: Identity): void {
  const pool = parseRunnerDescription(draft.snapshot.owner, description)?.pool ?? job.pool;
  draft.putJob({ ...job, vm, ...(pool === undefined ? {} : { pool }) });
}

function joinMicrovm(draft: Draft, found: Job, vm: Microvm): void {
  const key = jobKey(found);
  const { waitingReason: _reason, ...job } = found;
  const vmAt = Math.max(vm.committedAt ?? vm.allocatedAt, job.queuedAt);
  draft.putJob({ ...job, vm: vm.name, host: vm.host, pool: vm.pool, size: vm.sizeName, vmAt });
  // A second job on one credential is waited for like the first, but it changes nothing.
  if (vm.job !== undefined) return;
  settleClass(draft, vm);
  draft.event("JobStarted", { kind: "job", name: key }, `runs on ${vm.name} (${vm.host})`, found.traceId);
  const joined = { ...vm, identity: true, job: key, traceId: found.traceId };
  if (isLeaving(vm)) draft.putMicrovm(joined);
  else draft.putMicrovm({ ...joined, phase: "busy", busyAt: draft.now, jobDeadlineAt: jobDeadline(draft, vm, startOf(draft, found, vm)) });
}

/** When the job began, as the forge tells; its clock may be another: before the runner was handed out nothing can have begun. */
function startOf(draft: Draft, job: Job, vm: Microvm): number {
  return Math.min(Math.max(job.startedAt ?? draft.now, vm.assignedAt ?? draft.now), draft.now);
}
