import type { Clock } from "../model/clock.js";

/** Settles after `ms`, or as soon as one of the signals is given. */
export function pause(clock: Clock, ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    for (const signal of signals) signal.addEventListener("abort", done, { once: true });
    if (signals.some(({ aborted }) => aborted)) done();
  });
}
