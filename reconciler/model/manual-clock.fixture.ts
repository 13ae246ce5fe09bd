import type { Clock } from "./clock.js";

interface Timer {
  readonly at: number;
  readonly delayMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  protected time: number;
  private readonly timers = new Set<Timer>();

  constructor(startsAt = 1_800_000_000_000) {
    this.time = startsAt;
  }

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, delayMs, callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.size;
  }

  /** Whether a timer was set for exactly so long. */
  waits(delayMs: number): boolean {
    return [...this.timers].some((timer) => timer.delayMs === delayMs);
  }

  /** Moves time on from timer to timer, and lets what each one sets off go its way before the next. */
  async advance(ms: number): Promise<void> {
    const goal = this.time + ms;
    await settle();
    for (let next = this.next(goal); next !== undefined; next = this.next(goal)) {
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      await settle();
    }
    this.time = Math.max(this.time, goal);
  }

  private next(goal: number): Timer | undefined {
    return [...this.timers].filter(({ at }) => at <= goal).toSorted((a, b) => a.at - b.at)[0];
  }
}

/** Lets everything that needs no time of its own happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
