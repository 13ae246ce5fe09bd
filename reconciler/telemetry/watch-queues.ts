import { bootStagesOf } from "../model/boot-stages.js";
import type { Clock } from "../model/clock.js";
import type { Kind, Records } from "../model/records.js";
import type { MetricsRecorder } from "./metrics.js";
import type { Queue } from "./queue-metrics.js";

/** What of a store these metrics are derived from. */
export interface WatchedQueues {
  get<K extends Kind>(kind: K, key: string): { readonly value: Records[K] } | undefined;
  list<K extends Kind>(kind: K): readonly { readonly key: string; readonly value: Records[K] }[];
  watch(
    listener: (change: {
      readonly changed: readonly { readonly kind: Kind; readonly key: string }[];
      readonly events: readonly { readonly type: string }[];
    }) => void,
  ): () => void;
}

/**
 * Derives from what is committed how long jobs wait, microVMs boot, how many runners were left over, and how webhooks stand. Each
 * job and microVM is measured once; what was so before the watch began is not. The returned function ends it.
 */
export function watchQueues(store: WatchedQueues, metrics: MetricsRecorder, clock: Pick<Clock, "now">): () => void {
  const started = keysOf(store, "job", ({ vm, startedAt }) => vm !== undefined && startedAt !== undefined);
  const claimed = keysOf(store, "microvm", ({ claimedAt }) => claimedAt !== undefined);
  const ready = keysOf(store, "guestReport", ({ startedAt }) => startedAt !== undefined);

  function jobChanged(key: string): void {
    const job = store.get("job", key)?.value;
    if (job === undefined) started.delete(key);
    else if (job.vm !== undefined && job.startedAt !== undefined && !started.has(key)) {
      started.add(key);
      metrics.jobWaited(job.pool ?? "unknown", (job.startedAt - job.queuedAt) / 1000);
    }
  }

  function vmChanged(key: string): void {
    const vm = store.get("microvm", key)?.value;
    if (vm === undefined) claimed.delete(key);
    else if (vm.claimedAt !== undefined && !claimed.has(key)) {
      claimed.add(key);
      metrics.vmBooted(vm.pool, vm.firstUse === true, (vm.claimedAt - (vm.createSentAt ?? vm.allocatedAt)) / 1000);
      const report = store.get("guestReport", key)?.value;
      if (report === undefined) return;
      const stages = bootStagesOf(vm, report).filter(({ stage }) => stage !== "runner");
      for (const { stage, tookMs } of stages) metrics.bootStage(stage, tookMs / 1000);
    }
  }

  function reportChanged(key: string): void {
    const report = store.get("guestReport", key)?.value;
    const vm = store.get("microvm", key)?.value;
    if (report === undefined) ready.delete(key);
    else if (vm !== undefined && report.startedAt !== undefined && !ready.has(key)) {
      ready.add(key);
      const runner = bootStagesOf(vm, report).find(({ stage }) => stage === "runner");
      if (runner !== undefined) metrics.bootStage(runner.stage, runner.tookMs / 1000);
    }
  }

  metrics.countQueues(() => queuesOf(store, clock.now()));
  metrics.countWebhooks(() =>
    store.list("condition").flatMap(({ value: { subject, type, status } }) => {
      return type === "WebhookRegistered" ? [{ connection: subject.name, registered: status }] : [];
    }),
  );
  return store.watch(({ changed, events }) => {
    for (const { kind, key } of changed) {
      if (kind === "job") jobChanged(key);
      else if (kind === "microvm") vmChanged(key);
      else if (kind === "guestReport") reportChanged(key);
    }
    for (const { type } of events) if (type === "RunnerAdopted") metrics.runnerLeftover();
  });
}

function keysOf<K extends Kind>(store: WatchedQueues, kind: K, isSo: (value: Records[K]) => boolean): Set<string> {
  return new Set(store.list(kind).flatMap(({ key, value }) => (isSo(value) ? [key] : [])));
}

/** Pools without waiting jobs are told of too: a queue that is empty is not one that is unknown. */
function queuesOf(store: WatchedQueues, now: number): readonly Queue[] {
  const queues = new Map(store.list("pool").map(({ key }) => [key, { waiting: 0, since: now }]));
  for (const { value: job } of store.list("job")) {
    const queue = job.status === "pending" && job.pool !== undefined ? queues.get(job.pool) : undefined;
    if (queue === undefined) continue;
    queue.waiting += 1;
    queue.since = Math.min(queue.since, job.queuedAt);
  }
  return [...queues].map(([pool, { waiting, since }]) => ({ pool, waiting, oldestS: (now - since) / 1000 }));
}
