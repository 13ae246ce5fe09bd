import type { Clock } from "../model/clock.js";

/**
 * Lets one line per key and interval through, so that senders who are refused cannot fill the log. Keys must come from a
 * bounded set.
 */
export function createLogGate(clock: Pick<Clock, "now">, intervalMs = 10_000): (key: string) => boolean {
  const last = new Map<string, number>();
  return (key) => {
    const now = clock.now();
    const before = last.get(key);
    if (before !== undefined && now - before < intervalMs) return false;
    last.set(key, now);
    return true;
  };
}
