import type { DeadLetter } from "../model/dead-letter.js";
import { type Effect, effectKey } from "./effect.js";

/** How often what must not be given up is tried when it has failed beyond its budget. */
const slowlyMs = 600_000;

/** When an action counts as failing for good: after so many tries in vain, and so long after the first of them. */
export interface Budget {
  readonly attempts: number;
  readonly forMs: number;
}

/** What becomes of an action that fails again and again. */
export type Fate = { readonly tried: "always" } | ({ readonly tried: "slowly" | "when-asked" } & Budget);

const always: Fate = { tried: "always" };
/** What would leave something behind, or leave a job unserved, if it were given up. */
const slowly: Fate = { tried: "slowly", attempts: 20, forMs: 3_600_000 };
/** What a newer decision or the next poll makes up for. */
const whenAsked: Fate = { tried: "when-asked", attempts: 12, forMs: 300_000 };

/**
 * What becomes of each effect that keeps failing. Lists and checks are how anything is known at all: they are tried for ever,
 * and conditions tell of them. A Create is not repeated: its microVM is given up, and another is made.
 */
export function fateOf(effect: Effect): Fate {
  switch (effect.kind) {
    case "poll":
    case "listHost":
    case "sweepRunners":
    case "checkConnection":
    case "readProtectedRefs":
    case "createOnHost":
      return always;
    case "readJob":
    case "cancelJob":
    case "retryJob":
    case "makeRunner":
      return whenAsked;
    case "confirmLoss":
    case "deleteOnHost":
    case "checkGone":
    case "deleteDouble":
    case "findRunner":
    case "pauseRunner":
    case "readRunningJobs":
    case "deleteRunner":
    case "tendPresence":
      return slowly;
  }
}

/** The key of an effect's letter. What else is done with the same subject is told apart: it may go well. */
export function letterKey(effect: Effect): string {
  const key = effectKey(effect);
  const subject = key.slice(key.indexOf(":") + 1);
  return effect.kind === "tendPresence" ? `${effect.kind}:${subject}/${effect.step}` : `${effect.kind}:${subject}`;
}

/** What an effect is about, as its letter says it. */
export function targetOf(effect: Effect): DeadLetter["target"] {
  const { kind: _kind, ...rest } = effect;
  const { force: _force, findFirst: _findFirst, ...target } = { force: undefined, findFirst: undefined, ...rest };
  return target;
}

/** Whether a letter holds its action back at this moment; `when` is asked for the time of the next try. */
export function isParked(letter: DeadLetter, when: { readonly now: number; reached(at: number): boolean }): boolean {
  if (letter.asked?.what === "retry") return false;
  if (letter.tried !== "slowly") return true;
  // A failure that is yet to come is one of before the clock was set back.
  return letter.lastFailureAt <= when.now && !when.reached(letter.lastFailureAt + slowlyMs);
}
