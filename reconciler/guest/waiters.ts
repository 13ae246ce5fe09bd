import type { Clock } from "../model/clock.js";

/** Why a wait ended. `full`: it never began, too many wait already. `replaced`: the same one waits anew. */
type WaitEnd = "changed" | "timed-out" | "replaced" | "cut" | "full" | "stopped";

/** Calls that are held until something about their key changes; one for each key. */
export interface Waiters {
  /** Ends after `ms` at the latest, or when `signal` tells that nobody waits any more. */
  wait(key: string, ms: number, signal?: AbortSignal): Promise<WaitEnd>;
  wake(key: string): void;
  /** How many wait. */
  count(): number;
  /** Ends every wait; later ones end at once. */
  stop(): void;
}

export function createWaiters(clock: Clock, max: number): Waiters {
  const waiting = new Map<string, (end: WaitEnd) => void>();
  let stopped = false;
  return {
    async wait(key, ms, signal) {
      if (stopped) return "stopped";
      if (signal?.aborted === true) return "cut";
      waiting.get(key)?.("replaced");
      if (waiting.size >= max) return "full";
      return new Promise((resolve) => {
        const settle = (end: WaitEnd) => {
          waiting.delete(key);
          cancelTimer();
          signal?.removeEventListener("abort", onAbort);
          resolve(end);
        };
        const onAbort = () => settle("cut");
        const cancelTimer = clock.after(ms, () => settle("timed-out"));
        signal?.addEventListener("abort", onAbort);
        waiting.set(key, settle);
      });
    },
    wake: (key) => waiting.get(key)?.("changed"),
    count: () => waiting.size,
    stop() {
      stopped = true;
      for (const settle of [...waiting.values()]) settle("stopped");
    },
  };
}
