import fc from "fast-check";
import type { DeadLetter } from "../model/dead-letter.js";
import type { Effect } from "./effect.js";
import { fateOf, letterKey, targetOf } from "./letter.js";
import { now } from "./snapshot.fixture.js";

const connection = "forge";
const vmEffects = fc
  .record({
    vm: fc.integer({ min: 0, max: 5 }).map((n) => `vm-${n}`),
    of: fc.constantFrom("deleteOnHost", "checkGone", "makeRunner", "findRunner", "pauseRunner", "readRunningJobs", "deleteRunner"),
  })
  .map(({ vm, of }): Effect => {
    if (of === "deleteOnHost" || of === "checkGone") return { kind: of, vm, host: "host-a", uid: `uid-${vm}` };
    if (of === "makeRunner") return { kind: of, vm, connection, findFirst: true };
    if (of === "findRunner") return { kind: of, vm, connection };
    return { kind: of as "pauseRunner" | "readRunningJobs" | "deleteRunner", vm, connection, runnerId: 1 };
  });
const jobEffects = fc
  .record({
    jobId: fc.integer({ min: 1, max: 12 }),
    of: fc.constantFrom("readJob" as const, "confirmLoss" as const, "cancelJob" as const, "retryJob" as const),
  })
  .map(({ jobId, of }): Effect => {
    const job = { connection, projectId: 7, jobId };
    return of === "cancelJob" ? { kind: of, ...job, force: false } : { kind: of, ...job };
  });
const presenceEffects = fc
  .record({
    presence: fc.integer({ min: 0, max: 9 }).map((n) => `pr-${n}`),
    step: fc.constantFrom("make" as const, "remake" as const, "contact" as const, "pause" as const, "unpause" as const, "remove" as const),
  })
  .map(({ presence, step }): Effect => ({ kind: "tendPresence", presence, connection, step }));

/** Dead letters of what plans begin, just parked or long ago, of which operators asked this or that. */
export const letters: fc.Arbitrary<readonly (readonly [string, DeadLetter])[]> = fc.oneof(
  { arbitrary: fc.constant([]), weight: 2 },
  {
    arbitrary: fc.uniqueArray(
      fc
        .record({
          effect: fc.oneof(vmEffects, jobEffects, presenceEffects),
          failedAt: fc.constantFrom(now - 1_000, now - 599_000, now - 700_000, now + 60_000),
          asked: fc.constantFrom(undefined, undefined, "retry" as const, "drop" as const),
        })
        .map(({ effect, failedAt, asked }): readonly [string, DeadLetter] => {
          const { tried } = fateOf(effect);
          return [
            letterKey(effect),
            {
              action: effect.kind,
              target: targetOf(effect),
              tried: tried === "always" ? "never" : tried,
              attempts: 20,
              firstFailureAt: failedAt - 4_000_000,
              lastFailureAt: failedAt,
              parkedAt: failedAt,
              failures: [{ at: failedAt, code: "FR-FORGE-REJECTED", message: "generated" }],
              ...(asked === undefined ? {} : { asked: { what: asked, by: "somebody", at: now } }),
            },
          ];
        }),
      { maxLength: 6, selector: ([key]) => key },
    ),
    weight: 1,
  },
);
