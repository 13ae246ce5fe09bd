import fc from "fast-check";
import type { Presence } from "../model/presence.js";
import { now } from "./snapshot.fixture.js";
import type { EffectState } from "./snapshot.js";

/** A presence runner and what is under way with it. */
export interface DrawnPresence {
  readonly presence: Presence;
  readonly effects: readonly (readonly [string, EffectState])[];
}

const ago = fc.constantFrom(now - 1_000, now - 400_000, now - 600_000, now - 2_700_000, now - 9_000_000);

const drawn = fc
  .record({
    n: fc.integer({ min: 0, max: 9 }),
    pool: fc.constantFrom("pool", "other", "removed"),
    size: fc.constantFrom("small", "large", "2cpu-2gb", "unknown"),
    connection: fc.constantFrom("forge", "forge", "removed"),
    state: fc.constantFrom("wanted", "paused", "heard", "present", "present", "leaving"),
    attempts: fc.integer({ min: 0, max: 2 }),
    heardAt: ago,
    unneededSince: fc.option(ago, { nil: undefined }),
    drifted: fc.boolean(),
    inFlight: fc.constantFrom("none", "none", "in-flight", "resting"),
  })
  .map(({ n, pool, size, connection, state, attempts, heardAt, unneededSince, drifted, inFlight }): DrawnPresence => {
    const name = `pr-${n}`;
    const made = state !== "wanted" && (state !== "leaving" || attempts === 2);
    const effect: EffectState = inFlight === "resting" ? { state: "backing-off", until: now + 700 } : { state: "in-flight" };
    return {
      presence: {
        name,
        connection,
        pool,
        size,
        description: `firerunner/owner/${pool}/${name}`,
        tags: drifted ? ["old"] : [pool === "other" ? "other" : "vm", size],
        runUntagged: false,
        protectedOnly: false,
        scope: { instance: true },
        state,
        attempts: made ? Math.max(1, attempts) : attempts,
        ...(made ? { runnerId: 500 + n } : {}),
        ...(made && state !== "leaving" ? { sealedToken: "sealed" } : {}),
        ...(state === "heard" || state === "present" ? { heardAt } : {}),
        ...(unneededSince === undefined ? {} : { unneededSince }),
      },
      effects: inFlight === "none" ? [] : [[`presence:${name}`, effect]],
    };
  });

/** Presence runners of every kind that the product may meet. */
export const presences: fc.Arbitrary<readonly DrawnPresence[]> = fc.uniqueArray(drawn, {
  maxLength: 4,
  selector: ({ presence }) => presence.name,
});
