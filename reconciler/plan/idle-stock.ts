import type { Pool } from "../model/pool.js";
import type { RunnerClass } from "../model/runner-class.js";
import { nextMinute } from "../model/time-zone.js";
import type { Draft } from "./draft.js";
import { type IdleNumbers, idleNumbersAt, idleTarget } from "./idle-target.js";
import type { PoolView } from "./snapshot.js";
import type { Supply } from "./supply.js";

/** How many microVMs each pool keeps ready in one plan, and for how long others may idle. */
export class IdleStock {
  private readonly known = new Map<string, IdleNumbers>();

  constructor(
    private readonly draft: Draft,
    private readonly supply: Supply,
  ) {}

  /** How many microVMs of a class are kept ready: of other sizes than the pool's own there are none. */
  wanted({ spec, paused }: PoolView, runnerClass: RunnerClass): number {
    return runnerClass.size === spec.size && !paused ? idleTarget(this.numbers(spec), this.supply.of(runnerClass).inUse) : 0;
  }

  /** The numbers that hold for a pool in this minute. */
  numbers(pool: Pool): IdleNumbers {
    const known = this.known.get(pool.name);
    if (known !== undefined) return known;
    const numbers = idleNumbersAt(pool, this.draft.now);
    this.known.set(pool.name, numbers);
    // Other numbers may hold from the next minute on.
    if (pool.idlePolicies.length > 0) this.draft.reached(nextMinute(this.draft.now));
    return numbers;
  }
}
