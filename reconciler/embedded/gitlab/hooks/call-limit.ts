import type { Clock } from "../../../model/clock.js";

/** Counts the webhooks of each namespace by the minute. */
export interface CallLimit {
  /** Counts one; false when the namespace has had `perMinute` in this minute already. Undefined is no limit. */
  admit(namespace: string, perMinute: number | undefined): boolean;
}

const minuteMs = 60_000;

export function createCallLimit(clock: Pick<Clock, "now">): CallLimit {
  let minute = 0;
  let counts = new Map<string, number>();
  return {
    admit(namespace, perMinute) {
      if (perMinute === undefined) return true;
      const now = Math.floor(clock.now() / minuteMs);
      if (now !== minute) counts = new Map();
      minute = now;
      const count = (counts.get(namespace) ?? 0) + 1;
      counts.set(namespace, count);
      return count <= perMinute;
    },
  };
}
