import type { Connection } from "../model/connection.js";
import type { Job, WaitingReason } from "../model/job.js";
import { mismatch } from "../model/mismatch.js";
import type { Pool } from "../model/pool.js";
import { classOf, type RunnerClass, whySizeRefused } from "../model/runner-class.js";
import type { Draft } from "./draft.js";
import { learnProtection, type Protection } from "./protection.js";
import { TupleMap } from "./tuple-map.js";

/** Where a job belongs, or why nowhere. */
export type Mapped = { readonly runnerClass: RunnerClass } | { readonly reason: WaitingReason };

/** The pools of one connection, in the order of their declaration. */
interface Candidates {
  readonly connection: Connection;
  readonly pools: readonly Pool[];
  /** Whether it matters for any of them whether a ref is protected. */
  readonly guarded: boolean;
}

/** Maps waiting jobs to pools; jobs that are alike are decided about once. */
export class Mapping {
  private readonly candidates = new Map<string, Candidates>();
  private readonly known = new TupleMap<Mapped>();

  constructor(private readonly draft: Draft) {
    for (const { spec: connection } of draft.snapshot.connections) {
      const pools = draft.snapshot.pools.flatMap(({ spec }) => (spec.connection === connection.name ? [spec] : []));
      const guarded = pools.some(({ accessLevel }) => accessLevel === "ref_protected");
      this.candidates.set(connection.name, { connection, pools, guarded });
    }
  }

  /** The first declared pool that takes the job, and the size that it gets there. */
  of(job: Job): Mapped {
    const candidates = this.candidates.get(job.connection);
    if (candidates === undefined) return { reason: noPool(job, "is not declared") };
    const ref = candidates.guarded ? `${job.protected} ${job.refIsTag} ${job.ref} ${job.pool}` : "";
    return this.known.of([job.connection, job.projectId, ref, ...job.tags], () => this.decide(job, candidates));
  }

  private decide(job: Job, { connection, pools }: Candidates): Mapped {
    let protection: Protection | undefined;
    for (const pool of pools) {
      const runnerClass = classOf(pool, connection, { ...job, protected: true });
      if (runnerClass === undefined) continue;
      if (pool.accessLevel === "not_protected") return { runnerClass };
      protection ??= learnProtection(this.draft, job);
      if (protection === true) return { runnerClass };
      // A pool that stands behind this one must not get what may be this one's. What was decided before stays decided.
      if (protection === "unknown") return decidedBefore(job, connection, pools) ?? { reason: unknownProtection(job, pool) };
    }
    if (typeof protection === "object") return { reason: refusedProtection(protection.refused) };
    return { reason: whyNone(job, connection, pools, protection ?? job.protected) };
  }
}

/** The pool that the job had before the lists were forgotten, as a new leader begins without: its microVM is on its way. */
function decidedBefore(job: Job, connection: Connection, pools: readonly Pool[]): Mapped | undefined {
  const pool = pools.find(({ name }) => name === job.pool);
  const runnerClass = pool === undefined ? undefined : classOf(pool, connection, { ...job, protected: true });
  return runnerClass === undefined ? undefined : { runnerClass };
}

function whyNone(job: Job, connection: Connection, pools: readonly Pool[], isProtected: boolean | "unknown"): WaitingReason {
  const traits = { ...job, protected: isProtected };
  for (const pool of pools) {
    const why = whySizeRefused(pool, connection, traits);
    if (why !== undefined) return { code: "FR-SIZE-REFUSED", message: why };
  }
  const found = pools.flatMap((pool) => {
    const known = mismatch(pool, connection, traits);
    return known === undefined ? [] : [{ ...known, pool: pool.name }];
  });
  const [nearest] = found.sort((a, b) => a.count - b.count);
  const tags = job.tags.length === 0 ? "a job without tags" : `the tags ${job.tags.join(", ")}`;
  return noPool(job, nearest === undefined ? "is declared" : `takes ${tags}; the nearest is "${nearest.pool}": ${nearest.why}`);
}

const noPool = ({ connection }: Job, what: string): WaitingReason => ({
  code: "FR-NO-POOL",
  message: `no pool of connection "${connection}" ${what}`,
});

const unknownProtection = ({ ref, projectId }: Job, pool: Pool): WaitingReason => ({
  code: "FR-PROTECTION-UNKNOWN",
  message: `whether ${ref === undefined ? "its ref" : `ref "${ref}"`} is protected, as pool "${pool.name}" wants it, is being read of project ${projectId}`,
});

const refusedProtection = (message: string): WaitingReason => ({
  code: "FR-PROTECTION-UNKNOWN",
  message: `only pools for protected refs take it, and whether its ref is one cannot be read: ${message}`,
});
