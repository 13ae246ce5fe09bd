import { ManualClock } from "./manual-clock.fixture.js";

/**
 * A clock on which pauses are over at once, and add up to its time. What waits for `deadlineMs` or longer is a deadline
 * instead, which comes only when the clock is moved.
 */
export class HurriedClock extends ManualClock {
  /** What was waited for so far, in milliseconds. */
  readonly pauses: number[] = [];

  constructor(private readonly deadlineMs = Number.POSITIVE_INFINITY) {
    super();
  }

  override after(delayMs: number, callback: () => void): () => void {
    if (delayMs >= this.deadlineMs) return super.after(delayMs, callback);
    this.pauses.push(delayMs);
    const immediate = setImmediate(() => {
      this.time += delayMs;
      callback();
    });
    return () => clearImmediate(immediate);
  }
}
