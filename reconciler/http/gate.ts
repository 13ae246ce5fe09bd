import type { Clock } from "../model/clock.js";

/**
 * Lets one of each key through per interval: senders who are refused cannot fill the log, nor others cause work without
 * end. Keys must come from a bounded set.
 */
export function createGate(clock: Pick<Clock, "now">, intervalMs = 10_000): (key: string) => boolean {
  const last = new Map<string, number>();
  return (key) => {
    const now = clock.now();
    const before = last.get(key);
    // A clock that was set back must not close the gate for as long.
    if (before !== undefined && now >= before && now - before < intervalMs) return false;
    last.set(key, now);
    return true;
  };
}
