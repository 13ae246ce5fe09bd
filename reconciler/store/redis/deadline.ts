import { FireRunnerError } from "../../model/errors.js";

/** The outcome of `work`, or after `ms` a retryable `FR-STORE`; `onLate` hears of it first. */
export function deadline<T>(ms: number, attempted: string, work: Promise<T>, onLate: () => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      onLate();
      reject(tooLate(ms, attempted));
    }, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** For what has taken longer than it may. */
export const tooLate = (ms: number, attempted: string): FireRunnerError =>
  new FireRunnerError("FR-STORE", `${attempted} took longer than ${ms / 1000} s: Redis does not answer`, { retryable: true });
