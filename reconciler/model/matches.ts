import type { Scope } from "./connection.js";

/** What of a runner decides which jobs it may take. */
export interface RunnerTraits {
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly scope: Scope;
  /** Takes jobs of protected refs only (GitLab's `ref_protected`). */
  readonly protectedOnly: boolean;
}

/** What of a job decides which runners may take it. */
export interface JobTraits {
  readonly projectId: number;
  /** The project's group and its ancestors, when they are known. */
  readonly groupIds?: readonly number[];
  readonly tags: readonly string[];
  /** Whether its ref is protected; forges do not always tell. */
  readonly protected: boolean | "unknown";
}

/**
 * GitLab's own rule: every tag of the job is one of the runner's; a job without tags needs `runUntagged`; the job's
 * project lies in the runner's scope; a runner for protected refs takes no other, nor any that may be another. A group
 * runner whose job's groups are not known is taken to match: the forge decides in the end.
 */
export function matches(runner: RunnerTraits, job: JobTraits): boolean {
  if (runner.protectedOnly && job.protected !== true) return false;
  if (!inScope(runner.scope, job)) return false;
  if (job.tags.length === 0) return runner.runUntagged;
  return job.tags.every((tag) => runner.tags.includes(tag));
}

/** Whether a job's project lies in a scope, as far as is known. */
export function inScope(scope: Scope, job: Pick<JobTraits, "projectId" | "groupIds">): boolean {
  if ("projectId" in scope) return scope.projectId === job.projectId;
  if ("groupId" in scope) return job.groupIds === undefined || job.groupIds.includes(scope.groupId);
  return true;
}

/** Whether two runners may take the same jobs. */
export function sameTraits(one: RunnerTraits, other: RunnerTraits): boolean {
  if (one.runUntagged !== other.runUntagged || one.protectedOnly !== other.protectedOnly) return false;
  return sameTags(one.tags, other.tags) && sameScope(one.scope, other.scope);
}

function sameTags(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  if (some.every((tag, index) => tag === others[index])) return true;
  const sorted = others.toSorted();
  return some.toSorted().every((tag, index) => tag === sorted[index]);
}

const sameScope = (one: Scope, other: Scope): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);
