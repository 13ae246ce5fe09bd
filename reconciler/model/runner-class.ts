import type { Connection } from "./connection.js";
import { type JobTraits, matches, type RunnerTraits } from "./matches.js";
import type { Pool } from "./pool.js";
import { sizeOf, whyNoSize } from "./size-tag.js";

/** The microVMs that are alike for the forge: one pool and one of its sizes. */
export interface RunnerClass {
  readonly pool: string;
  readonly size: string;
}

/** A class as a map key. A pool's name holds no '/'. */
export const classKey = (c: RunnerClass): string => `${c.pool}/${c.size}`;

/** What the runners of a class are to the forge: the pool's tags and the size's tag. Only the default size takes untagged jobs. */
export function classTraits(pool: Pool, size: string, connection: Connection): RunnerTraits {
  return {
    tags: [...new Set([...pool.tags, size])],
    runUntagged: pool.runUntagged && size === pool.size,
    scope: connection.scope,
    protectedOnly: pool.accessLevel === "ref_protected",
  };
}

/** The sizes of a pool in the order in which a job is tried on them: the default first, then as declared. */
export const sizesInOrder = (pool: Pool): readonly string[] => [pool.size, ...Object.keys(pool.sizes).filter((size) => size !== pool.size)];

/** The class that a job asks of a pool, or undefined when it is not the pool's to take. Sizes that the pool names go first. */
export function classOf(pool: Pool, connection: Connection, job: JobTraits): RunnerClass | undefined {
  if (pool.projectIds?.includes(job.projectId) === false) return undefined;
  const asked = job.tags.filter((tag) => sizeOf(pool, tag) !== undefined);
  const size = [...sizesInOrder(pool), ...asked].find((candidate) => matches(classTraits(pool, candidate, connection), job));
  return size === undefined ? undefined : { pool: pool.name, size };
}

/** Why a pool that would take a job but for the size that one of its tags asks for does not; undefined when that is not the reason. */
export function whySizeRefused(pool: Pool, connection: Connection, job: JobTraits): string | undefined {
  const why = sizeRefusal(pool, connection, job);
  return why === undefined ? undefined : `pool "${pool.name}" ${why}`;
}

/** The same, as what is to be said of the pool. */
export function sizeRefusal(pool: Pool, connection: Connection, job: JobTraits): string | undefined {
  if (pool.projectIds?.includes(job.projectId) === false) return undefined;
  for (const tag of job.tags) {
    const why = whyNoSize(pool, tag);
    if (why !== undefined && matches(classTraits(pool, tag, connection), job)) return `does not give "${tag}": ${why}`;
  }
  return undefined;
}
