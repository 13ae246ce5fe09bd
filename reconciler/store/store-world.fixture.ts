import { expect } from "vitest";
import type { Clock, Random } from "../model/clock.js";
import type { FireRunnerError } from "../model/errors.js";
import type { NewEvent } from "../model/event.js";
import type { Hint } from "../model/front-door.js";
import type { CommitResult, Expectation, Write } from "./port.js";

/** What a store needs from its surroundings, under the test's control. */
export interface StoreWorld {
  readonly clock: Pick<Clock, "now"> & { advance(ms: number): void };
  readonly random: Random;
  readonly faults: FireRunnerError[];
  readonly onFault: (error: FireRunnerError) => void;
}

/** A world whose time stands until it is moved, and whose randomness counts. */
export function storeWorld(): StoreWorld {
  let now = 1_700_000_000_000;
  let drawn = 0;
  const faults: FireRunnerError[] = [];
  return {
    clock: {
      now: () => now,
      advance: (ms) => {
        now += ms;
      },
    },
    random: { next: () => 0.5, hex: (bytes) => (drawn++).toString(16).padStart(bytes * 2, "0") },
    faults,
    onFault: (error) => faults.push(error),
  };
}

export const hint = (jobId: number, firstSeenAt = 1): Hint => ({ connection: "gl", projectId: 1, jobId, firstSeenAt });

export const put = (key: string, value: Hint | null = hint(1), expect: Expectation = "any"): Write => ({
  kind: "hint",
  key,
  value,
  expect,
});

export const event = (name: string, message = ""): NewEvent => ({ at: 1, type: "Noted", subject: { kind: "job", name }, message });

/** The revision of a commit that must have been made. */
export function revisionOf(result: CommitResult): number {
  expect(result.outcome).toBe("committed");
  return result.outcome === "committed" ? result.revision : Number.NaN;
}
