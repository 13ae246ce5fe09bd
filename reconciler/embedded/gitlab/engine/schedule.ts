import type { Clock } from "../../../model/clock.js";
import type { Run } from "./run.js";

/** Starts delayed jobs when their time has come. */
export interface Schedule {
  /** Notes which of the run's jobs wait for their time now, and which do not any more. */
  keep(run: Run): void;
  stop(): void;
}

export function createSchedule(clock: Clock, start: (jobId: number) => void): Schedule {
  const waiting = new Map<number, () => void>();
  return {
    keep(run) {
      for (const { id, status, scheduledAt } of run.jobs) {
        if (status !== "scheduled" || scheduledAt === undefined) {
          waiting.get(id)?.();
          waiting.delete(id);
        } else if (!waiting.has(id)) {
          waiting.set(
            id,
            clock.after(Math.max(0, scheduledAt - clock.now()), () => start(id)),
          );
        }
      }
    },
    stop() {
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
    },
  };
}
