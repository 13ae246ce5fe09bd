import type { Clock } from "./model/clock.js";
import { type ErrorCode, FireRunnerError } from "./model/errors.js";

/** The outcome of `work`, or a rejection with `code` after `ms`: whatever it waits for, the caller does not wait longer. */
export async function within<T>(clock: Pick<Clock, "after">, ms: number, work: Promise<T>, code: ErrorCode, attempted: string): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(ms, () => reject(new FireRunnerError(code, `${attempted} took longer than ${ms / 1000} s`, { retryable: true })));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
