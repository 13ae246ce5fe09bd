import type { Condition } from "../model/condition.js";
import type { DeadLetter } from "../model/dead-letter.js";
import { isFinished, type Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Kind, Records } from "../model/records.js";
import type { ConditionCount, DeadLetterCount, MetricsRecorder, UnmatchedCount, VmCount } from "./metrics.js";

/** What of a store the metrics are derived from. */
export interface WatchedStore {
  get<K extends Kind>(kind: K, key: string): { readonly value: Records[K] } | undefined;
  list<K extends Kind>(kind: K): readonly { readonly key: string; readonly value: Records[K] }[];
  watch(listener: (change: { readonly changed: readonly { readonly kind: Kind; readonly key: string }[] }) => void): () => void;
}

/**
 * Derives the metrics of jobs and microVMs from what is committed: a job counts once, when its record becomes
 * finished, and as lost, when its loss is confirmed; a microVM's creation is measured once, when its host is first known to have it. What was so before the
 * watch began is not counted. The returned function ends it.
 */
export function watchStore(store: WatchedStore, metrics: MetricsRecorder): () => void {
  const finishedJobs = new Set(
    store
      .list("job")
      .filter(({ value }) => isFinished(value.status))
      .map(({ key }) => key),
  );
  const madeVms = new Set(
    store
      .list("microvm")
      .filter(({ value }) => madeAt(value) !== undefined)
      .map(({ key }) => key),
  );

  const lostJobs = new Set(
    store
      .list("job")
      .filter(({ value }) => value.vmLoss?.confirmedAt !== undefined)
      .map(({ key }) => key),
  );

  function jobChanged(key: string): void {
    const job = store.get("job", key)?.value;
    lossChanged(key, job);
    if (job === undefined || !isFinished(job.status)) {
      finishedJobs.delete(key);
    } else if (!finishedJobs.has(key)) {
      finishedJobs.add(key);
      metrics.jobFinished(job.status);
      if (job.startedAt !== undefined && job.finishedAt !== undefined) metrics.jobRan(Math.max(0, job.finishedAt - job.startedAt) / 1000);
    }
  }

  function lossChanged(key: string, job: Job | undefined): void {
    if (job?.vmLoss?.confirmedAt === undefined) {
      lostJobs.delete(key);
    } else if (!lostJobs.has(key)) {
      lostJobs.add(key);
      metrics.jobLost(job.pool ?? "unknown", job.vmLoss.policy);
    }
  }

  function vmChanged(key: string): void {
    const vm = store.get("microvm", key)?.value;
    const at = vm === undefined ? undefined : madeAt(vm);
    if (vm === undefined || at === undefined) {
      madeVms.delete(key);
    } else if (!madeVms.has(key)) {
      madeVms.add(key);
      metrics.vmCreated(Math.max(0, at - vm.allocatedAt) / 1000);
    }
  }

  metrics.countVms(() => countVms(store.list("microvm").map(({ value }) => value)));
  metrics.countConditions(() => countConditions(store.list("condition").map(({ value }) => value)));
  metrics.countDeadLetters(() => countDeadLetters(store.list("deadLetter").map(({ value }) => value)));
  metrics.countUnmatched(() => {
    const connections = store.list("connection").map(({ key }) => key);
    return countUnmatched(
      connections,
      store.list("job").map(({ value }) => value),
    );
  });
  return store.watch(({ changed }) => {
    for (const { kind, key } of changed) {
      if (kind === "job") jobChanged(key);
      else if (kind === "microvm") vmChanged(key);
    }
  });
}

/** A guest may claim before its host was asked again: then the claim is the first sign of the machine. */
const madeAt = (vm: Microvm): number | undefined => vm.createdAt ?? vm.claimedAt;

function countVms(vms: readonly Microvm[]): readonly VmCount[] {
  const counts = new Map<string, VmCount>();
  for (const { pool, phase } of vms) {
    const key = `${pool}/${phase}`;
    counts.set(key, { pool, phase, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

function countConditions(conditions: readonly Condition[]): readonly ConditionCount[] {
  const counts = new Map<string, number>();
  for (const { type, status } of conditions) if (status) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => ({ type, count }));
}

function countDeadLetters(letters: readonly DeadLetter[]): readonly DeadLetterCount[] {
  const counts = new Map<string, number>();
  for (const { action } of letters) counts.set(action, (counts.get(action) ?? 0) + 1);
  return [...counts].map(([effect, count]) => ({ effect, count }));
}

const noPoolTakesIt: ReadonlySet<string> = new Set(["FR-NO-POOL", "FR-SIZE-REFUSED"]);

function countUnmatched(connections: readonly string[], jobs: readonly Job[]): readonly UnmatchedCount[] {
  const counts = new Map(connections.map((connection) => [connection, 0]));
  for (const { connection, status, waitingReason } of jobs) {
    if (status === "pending" && noPoolTakesIt.has(waitingReason?.code ?? "")) counts.set(connection, (counts.get(connection) ?? 0) + 1);
  }
  return [...counts].map(([connection, count]) => ({ connection, count }));
}
