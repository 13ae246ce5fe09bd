import { isFinished, isRunning, type Job, jobKey, type WaitingReason } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import { classOf } from "../model/runner-class.js";
import { settleClass } from "./backoff.js";
import type { Draft } from "./draft.js";

/** How long a finished job is remembered. */
const historyMs = 24 * 3_600_000;

/** Maps pending jobs to pools, and running and finished ones to the microVMs whose runners the forge names. */
export function mapJobs(draft: Draft): void {
  const byRunner = new Map<string, string>();
  for (const identity of draft.identities.values()) {
    if (identity.runnerId !== undefined) byRunner.set(`${identity.connection}/${identity.runnerId}`, identity.vm);
  }
  for (const job of draft.jobs.values()) {
    if (job.status === "pending") mapToPool(draft, job);
    else if (job.runnerId !== undefined && (isRunning(job.status) || isFinished(job.status))) {
      const vm = draft.microvms.get(byRunner.get(`${job.connection}/${job.runnerId}`) ?? "");
      if (vm !== undefined) joinMicrovm(draft, job, vm);
    }
  }
}

/** Forgets finished jobs that are older than the history. */
export function pruneJobs(draft: Draft): void {
  for (const [key, job] of draft.jobs) {
    if (isFinished(job.status) && draft.reached((job.finishedAt ?? job.readAt) + historyMs)) draft.dropJob(key);
  }
}

function mapToPool(draft: Draft, job: Job): void {
  const connection = draft.connections.get(job.connection);
  if (connection === undefined) return;
  for (const pool of draft.snapshot.pools) {
    if (pool.spec.connection !== job.connection) continue;
    const found = classOf(pool.spec, connection.spec, job);
    if (found === undefined) continue;
    if (job.pool !== found.pool || job.size !== found.size) draft.putJob({ ...job, pool: found.pool, size: found.size });
    return;
  }
  const { pool: _pool, size: _size, ...unmapped } = job;
  if (job.pool !== undefined) draft.putJob(unmapped);
  const tags = job.tags.length === 0 ? "a job without tags" : `the tags ${job.tags.join(", ")}`;
  explain(draft, unmapped, { code: "FR-NO-POOL", message: `no pool of connection "${job.connection}" takes ${tags}` });
}

/** Writes why a job waits, unless that is what its record says already. */
export function explain(draft: Draft, job: Job, reason: WaitingReason): void {
  if (job.waitingReason?.code === reason.code && job.waitingReason.message === reason.message) return;
  draft.putJob({ ...job, waitingReason: reason });
}

function joinMicrovm(draft: Draft, found: Job, vm: Microvm): void {
  const key = jobKey(found);
  if (found.vm !== vm.name) {
    const { waitingReason: _reason, ...job } = found;
    const vmAt = Math.max(vm.committedAt ?? vm.allocatedAt, job.queuedAt);
    draft.putJob({ ...job, vm: vm.name, host: vm.host, pool: vm.pool, size: vm.sizeName, vmAt });
  }
  if (vm.job !== undefined || isLeaving(vm)) {
    if (vm.job === undefined) draft.putMicrovm({ ...vm, job: key, traceId: found.traceId });
    return;
  }
  const pool = draft.pools.get(vm.pool);
  const timeoutMs = (pool?.spec.maxJobTimeoutS ?? 3600) * 1000;
  // A minute beyond the forge's own limit: the forge ends the job, this only ends what the forge forgot.
  draft.putMicrovm({
    ...vm,
    phase: "busy",
    job: key,
    traceId: found.traceId,
    busyAt: draft.now,
    jobDeadlineAt: draft.now + timeoutMs + 60_000,
  });
  settleClass(draft, vm);
  draft.event("JobStarted", { kind: "job", name: key }, `runs on ${vm.name} (${vm.host})`, found.traceId);
}
