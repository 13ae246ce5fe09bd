import { isFinished, isRunning, type Job, jobKey, type WaitingReason } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import { classOf, type RunnerClass, whySizeRefused } from "../model/runner-class.js";
import { jobDeadline } from "./advance.js";
import { settleClass } from "./backoff.js";
import type { Draft } from "./draft.js";

/** How long a finished job is remembered. */
const historyMs = 24 * 3_600_000;
/** How many of them: every pass looks at each. */
const historyJobs = 10_000;

/** Maps pending jobs to pools, and running and finished ones to the microVMs whose runners the forge names. */
export function mapJobs(draft: Draft): void {
  const classes = new Map<string, RunnerClass | undefined>();
  const unjoined: Job[] = [];
  for (const [key, read] of draft.jobs) {
    const job = readByNow(draft, read);
    if (!draft.connections.has(job.connection)) forget(draft, key, job);
    else if (job.status === "pending") mapToPool(draft, job, classes);
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
    if (draft.reached(finishedAt + historyMs)) draft.dropJob(key);
    else kept.push([finishedAt, key]);
  }
  if (kept.length <= historyJobs) return;
  kept.sort(([a, aKey], [b, bKey]) => a - b || (aKey < bKey ? -1 : 1));
  for (const [, key] of kept.slice(0, kept.length - historyJobs)) draft.dropJob(key);
}

/** A removed connection's jobs are nobody's, once no microVM runs them. */
function forget(draft: Draft, key: string, job: Job): void {
  if (!isFinished(job.status) && (job.vm === undefined || !draft.microvms.has(job.vm))) draft.dropJob(key);
}

function mapToPool(draft: Draft, job: Job, classes: Map<string, RunnerClass | undefined>): void {
  const traits = `${job.connection}/${job.projectId}/${job.protected}/${job.tags.join("\n")}`;
  if (!classes.has(traits)) classes.set(traits, classFor(draft, job));
  const found = classes.get(traits);
  if (found !== undefined) {
    if (job.pool !== found.pool || job.size !== found.size) draft.putJob({ ...job, pool: found.pool, size: found.size });
    return;
  }
  const { pool: _pool, size: _size, ...unmapped } = job;
  if (job.pool !== undefined) draft.putJob(unmapped);
  explain(draft, unmapped, whyNoPool(draft, job));
}

function whyNoPool(draft: Draft, job: Job): WaitingReason {
  const connection = draft.connections.get(job.connection)?.spec;
  for (const { spec } of draft.snapshot.pools) {
    const why = connection?.name === spec.connection ? whySizeRefused(spec, connection, job) : undefined;
    if (why !== undefined) return { code: "FR-SIZE-REFUSED", message: why };
  }
  const tags = job.tags.length === 0 ? "a job without tags" : `the tags ${job.tags.join(", ")}`;
  return { code: "FR-NO-POOL", message: `no pool of connection "${job.connection}" takes ${tags}` };
}

/** The first declared pool of the job's connection that takes it. */
function classFor(draft: Draft, job: Job): RunnerClass | undefined {
  const connection = draft.connections.get(job.connection);
  if (connection === undefined) return undefined;
  for (const { spec } of draft.snapshot.pools) {
    const found = spec.connection === job.connection ? classOf(spec, connection.spec, job) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Writes why a job waits, unless that is what its record says already. */
export function explain(draft: Draft, job: Job, reason: WaitingReason): void {
  if (job.waitingReason?.code === reason.code && job.waitingReason.message === reason.message) return;
  draft.putJob({ ...job, waitingReason: reason });
}

function joinMicrovms(draft: Draft, jobs: readonly Job[]): void {
  if (jobs.length === 0) return;
  const byRunner = new Map([...draft.connections.keys()].map((name) => [name, new Map<number, string>()]));
  for (const { connection, runnerId, vm } of draft.identities.values()) {
    if (runnerId !== undefined) byRunner.get(connection)?.set(runnerId, vm);
  }
  for (const job of jobs) {
    const vm = draft.microvms.get(byRunner.get(job.connection)?.get(job.runnerId ?? 0) ?? "");
    if (vm !== undefined) joinMicrovm(draft, job, vm);
  }
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
  const joined = { ...vm, job: key, traceId: found.traceId };
  if (isLeaving(vm)) draft.putMicrovm(joined);
  else draft.putMicrovm({ ...joined, phase: "busy", busyAt: draft.now, jobDeadlineAt: jobDeadline(draft, vm) });
}
