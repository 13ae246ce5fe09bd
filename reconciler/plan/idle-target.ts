import { holds, type Period, parsePeriod } from "../model/period.js";
import type { IdlePolicy, Pool } from "../model/pool.js";
import { wallMinute } from "../model/time-zone.js";

/** How many microVMs are kept ready, and how long others may idle. */
export type IdleNumbers = Pick<Pool, "minIdle" | "idleTimeS" | "scaleFactor" | "scaleFactorLimit">;

/** What the periods of a policy were read to. A policy is never changed in place. */
const read = new WeakMap<IdlePolicy, readonly Period[]>();

/** The numbers that hold for a pool at a time: those of its last policy that has a period for it, else the pool's own. */
export function idleNumbersAt(pool: Pool, at: number): IdleNumbers {
  return pool.idlePolicies.findLast((policy) => periodsOf(policy).some((period) => holds(period, wallMinute(policy.timezone, at)))) ?? pool;
}

/**
 * How many are to be ready while so many are in use: as GitLab's autoscaler counts, `minIdle` at least, and otherwise a part
 * of those in use, rounded up, that its limit bounds.
 */
export function idleTarget({ minIdle, scaleFactor, scaleFactorLimit }: IdleNumbers, inUse: number): number {
  const scaled = Math.ceil(scaleFactor * inUse);
  return Math.max(minIdle, scaleFactorLimit === 0 ? scaled : Math.min(scaled, scaleFactorLimit));
}

function periodsOf(policy: IdlePolicy): readonly Period[] {
  const known = read.get(policy);
  if (known !== undefined) return known;
  // What is not understood was refused when the pool was declared; of a record that slipped through it never holds.
  const periods = policy.periods.map(parsePeriod).flatMap((period) => ("why" in period ? [] : [period]));
  read.set(policy, periods);
  return periods;
}
