import type { Clock, Random } from "../../../model/clock.js";

/** Whether something changed that a runner without a job should look at. */
export interface JobQueue {
  /** An opaque word that is another one after every change. */
  revision(): string;
  changed(): void;
  /** Resolves at the next change, after `ms` or when `signal` aborts; at once when too many wait already. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  stop(): void;
}

const maxWaiting = 5000;

export function createJobQueue(clock: Clock, random: Random): JobQueue {
  const start = random.hex(8);
  const waiting = new Set<() => void>();
  let count = 0;
  const wakeAll = () => {
    for (const wake of [...waiting]) wake();
  };
  return {
    revision: () => `${start}${count.toString(16).padStart(8, "0")}`,
    changed() {
      count += 1;
      wakeAll();
    },
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted || waiting.size >= maxWaiting) return resolve();
        const wake = () => {
          cancel();
          signal.removeEventListener("abort", wake);
          waiting.delete(wake);
          resolve();
        };
        const cancel = clock.after(ms, wake);
        signal.addEventListener("abort", wake, { once: true });
        waiting.add(wake);
      }),
    stop: wakeAll,
  };
}
