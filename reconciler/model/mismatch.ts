import type { Connection } from "./connection.js";
import { inScope, type JobTraits } from "./matches.js";
import type { Pool } from "./pool.js";
import { classOf, sizeRefusal } from "./runner-class.js";
import { sizeOf } from "./size-tag.js";

/** What keeps a job from a pool. */
export interface Mismatch {
  /** How many things would have to be otherwise. */
  readonly count: number;
  /** They, in words for people. */
  readonly why: string;
}

/** Why a pool of the job's connection does not take a job; undefined when it does. */
export function mismatch(pool: Pool, connection: Connection, job: JobTraits): Mismatch | undefined {
  if (classOf(pool, connection, job) !== undefined) return undefined;
  const whys: string[] = [];
  const missing = job.tags.filter((tag) => !pool.tags.includes(tag) && sizeOf(pool, tag) === undefined);
  const refused = missing.length === 0 ? undefined : sizeRefusal(pool, connection, { ...job, protected: true });
  if (refused !== undefined) whys.push(`it ${refused}`);
  else if (missing.length > 0) whys.push(`it lacks the tag${missing.length === 1 ? "" : "s"} ${missing.join(", ")}`);
  if (job.tags.length === 0 && !pool.runUntagged) whys.push("it does not take jobs without tags");
  if (pool.projectIds?.includes(job.projectId) === false) whys.push(`its projectIds do not name project ${job.projectId}`);
  if (!inScope(connection.scope, job)) whys.push(`its runners' scope does not hold project ${job.projectId}`);
  if (pool.accessLevel === "ref_protected" && job.protected !== true) {
    const unknown = job.protected === "unknown" ? ", and it is not known whether the job's is one" : "";
    whys.push(`it takes jobs of protected refs only${unknown}`);
  }
  if (whys.length === 0) whys.push("the job names more than one of its sizes");
  return { count: whys.length + Math.max(missing.length - 1, 0), why: whys.join(", and ") };
}
