import type { Clock } from "../../model/clock.js";

export { seededRandom } from "./seeded-random.js";

/** A clock whose time the test moves. */
export class ManualClock implements Clock {
  private time: number;
  private readonly timers = new Map<symbol, { readonly at: number; readonly callback: () => void }>();

  constructor(startsAt = 1_700_000_000_000) {
    this.time = startsAt;
  }

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const key = Symbol("timer");
    this.timers.set(key, { at: this.time + delayMs, callback });
    return () => this.timers.delete(key);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.size;
  }

  /** Moves time on, timer by timer, and lets what each one set off go its way before the next. */
  async advance(byMs: number): Promise<void> {
    const goal = this.time + byMs;
    await settle();
    for (let next = this.next(goal); next !== undefined; next = this.next(goal)) {
      const [key, timer] = next;
      this.timers.delete(key);
      this.time = timer.at;
      timer.callback();
      await settle();
    }
    this.time = goal;
  }

  private next(goal: number) {
    return [...this.timers].filter(([, { at }]) => at <= goal).toSorted(([, a], [, b]) => a.at - b.at)[0];
  }
}

/** Lets everything that needs no time of its own happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves once `condition` holds; rejects after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not seen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
