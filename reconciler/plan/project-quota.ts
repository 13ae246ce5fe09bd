import { type Job, jobKey, type WaitingReason } from "../model/job.js";
import type { Draft } from "./draft.js";
import { countsAgainstPool } from "./supply.js";

/**
 * Of the waiting jobs, by their keys, those that must wait for others of their project because their pool has a quota: the
 * oldest are served first. What a project has is counted like what a pool has: until nothing of a microVM can be in the way.
 */
export function beyondQuota(draft: Draft, oldestFirst: (a: Job, b: Job) => number): ReadonlyMap<string, WaitingReason> {
  const quotas = new Map(draft.snapshot.pools.flatMap(({ spec }) => quotaOf(spec.name, spec.maxMicrovmsPerProject)));
  const beyond = new Map<string, WaitingReason>();
  if (quotas.size === 0) return beyond;
  const used = new Map<string, number>();
  for (const vm of draft.microvms.values()) {
    const project = vm.job?.split("/")[1];
    if (project !== undefined && quotas.has(vm.pool) && countsAgainstPool(draft, vm)) take(used, `${vm.pool}/${project}`);
  }
  const waiting = [...draft.jobs.values()].filter(({ status, pool }) => status === "pending" && quotas.has(pool ?? ""));
  for (const job of waiting.sort(oldestFirst)) {
    const { pool = "", projectId } = job;
    const quota = quotas.get(pool) ?? 0;
    const key = `${pool}/${projectId}`;
    if ((used.get(key) ?? 0) < quota) take(used, key);
    else beyond.set(jobKey(job), { code: "FR-PROJECT-LIMIT", message: `project ${projectId} has its ${quota} microVMs of pool "${pool}"` });
  }
  return beyond;
}

const quotaOf = (pool: string, quota: number | undefined): readonly (readonly [string, number])[] =>
  quota === undefined ? [] : [[pool, quota]];

function take(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
