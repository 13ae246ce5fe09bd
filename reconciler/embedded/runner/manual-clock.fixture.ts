import type { Clock } from "../../model/clock.js";

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private time = 1_800_000_000_000;
  private readonly timers = new Set<{ readonly at: number; readonly delayMs: number; readonly callback: () => void }>();

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, delayMs, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** Whether somebody waits for exactly so long. */
  waits(delayMs: number): boolean {
    return [...this.timers].some((timer) => timer.delayMs === delayMs);
  }

  advance(ms: number): void {
    this.time += ms;
    for (const timer of [...this.timers].filter(({ at }) => at <= this.time).toSorted((a, b) => a.at - b.at)) {
      if (this.timers.delete(timer)) timer.callback();
    }
  }
}
