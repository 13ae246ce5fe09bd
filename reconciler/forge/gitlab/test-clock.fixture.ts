import type { Clock } from "../../model/clock.js";

/** A clock whose pauses pass at once, and whose deadlines come only when it is moved. */
export interface TestClock extends Clock {
  /** What was waited for so far, in milliseconds. */
  readonly pauses: readonly number[];
  /** Moves on, and fires what is due. */
  advance(ms: number): void;
  /** Deadlines that are set and not taken back. */
  waiting(): number;
}

/** Waits shorter than `deadlineMs` are pauses, all others deadlines. */
export function createTestClock(deadlineMs: number, startsAt = 1_770_000_000_000): TestClock {
  let now = startsAt;
  const pauses: number[] = [];
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  return {
    pauses,
    now: () => now,
    after(delayMs, callback) {
      let cancelled = false;
      if (delayMs < deadlineMs) {
        pauses.push(delayMs);
        setImmediate(() => {
          if (cancelled) return;
          now += delayMs;
          callback();
        });
        return () => {
          cancelled = true;
        };
      }
      const timer = { at: now + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      now += ms;
      for (const timer of [...timers]) {
        if (timer.at <= now && timers.delete(timer)) timer.callback();
      }
    },
    waiting: () => timers.size,
  };
}
