import { FireRunnerError } from "../../reconciler/model/errors.js";
import type { Context } from "./handler.js";

/** Waits so long, or rejects as soon as everything is to end. */
export function pause({ clock, signal }: Pick<Context, "clock" | "signal">, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const interrupted = (): void => {
      cancel();
      reject(new FireRunnerError("FR-CONFIG", "interrupted: what was begun goes on with the next run"));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", interrupted);
      resolve();
    });
    if (signal.aborted) interrupted();
    else signal.addEventListener("abort", interrupted, { once: true });
  });
}

/** How long something may last in words: `90 s`, `65 min`. */
export const span = (seconds: number): string => (seconds % 60 === 0 && seconds >= 120 ? `${seconds / 60} min` : `${seconds} s`);
