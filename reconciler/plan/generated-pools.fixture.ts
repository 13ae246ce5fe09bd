import fc from "fast-check";
import type { PoolInput } from "../model/pool.js";
import { aPool, now } from "./snapshot.fixture.js";
import type { PoolView, ProtectedRefsRead } from "./snapshot.js";

const hour = new Date(now).getUTCHours();
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const refs = { branches: ["main"], tags: ["v*"] };

/** What of pools is of a connection's jobs: quotas, periods, and whether their refs are protected. */
export const poolRules = fc.record({
  scaleFactor: fc.constantFrom(0, 0, 0.5, 2),
  scaleFactorLimit: fc.integer({ min: 0, max: 2 }),
  policy: maybe(
    fc.record({
      periods: fc.constantFrom<string[]>([`* ${hour} * * *`], ["*/2 * * * *"], [`* ${(hour + 12) % 24} * * *`]),
      minIdle: fc.integer({ min: 0, max: 2 }),
      idleTimeS: fc.constantFrom(0, 20, 300),
    }),
  ),
  maxMicrovmsPerProject: maybe(fc.integer({ min: 1, max: 2 })),
  guarded: fc.constantFrom("none", "none", "first", "last"),
  read: maybe(
    fc.oneof(
      fc.constantFrom(1_000, 599_500, 700_000).map((age): ProtectedRefsRead => ({ at: now - age, refs })),
      fc.constantFrom(1_000, 61_000).map((age): ProtectedRefsRead => ({ at: now - age, refused: "generated" })),
    ),
  ),
});
export type PoolRules = typeof poolRules extends fc.Arbitrary<infer T> ? T : never;

/** The part of the rules that stands in one pool. */
export const rulesOf = ({ scaleFactor, scaleFactorLimit, policy, maxMicrovmsPerProject }: PoolRules): Partial<PoolInput> => ({
  scaleFactor,
  scaleFactorLimit,
  ...(policy === undefined ? {} : { idlePolicies: [policy] }),
  ...(maxMicrovmsPerProject === undefined ? {} : { maxMicrovmsPerProject }),
});

/** The pools with one for protected refs before or after them, where there is one. */
export function withGuarded(pools: readonly PoolView[], { guarded }: PoolRules): readonly PoolView[] {
  const view = { spec: aPool({ name: "guarded", accessLevel: "ref_protected", projectIds: [7, 8], maxMicrovms: 2 }), paused: false };
  return guarded === "none" ? pools : guarded === "first" ? [view, ...pools] : [...pools, view];
}

/** What a waiting job's ref is, and what the forge says of it. */
export const refs7or8 = fc.record({
  projectId: fc.constantFrom(7, 7, 8),
  ref: fc.constantFrom("main", "feature", "v1"),
  refIsTag: fc.boolean(),
  protected: fc.constantFrom(false, true, "unknown" as const, "unknown" as const),
});
