import type { Clock, Random } from "../../model/clock.js";

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private time = 1_800_000_000_000;
  private readonly timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.size;
  }

  /** Moves time on from timer to timer, and lets what each sets off go its way before the next. */
  async advance(ms: number): Promise<void> {
    const goal = this.time + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = [...this.timers].filter(({ at }) => at <= goal).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.timers.delete(next);
      this.time = next.at;
      next.callback();
    }
    this.time = goal;
  }
}

/** The same numbers in every run. */
export function seededRandom(seed = 1): Random {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const byte = () => Math.floor(next() * 256);
  return { next, hex: (bytes) => Array.from({ length: bytes }, () => byte().toString(16).padStart(2, "0")).join("") };
}

/** Resolves once `condition` holds; rejects after fifteen seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not seen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
