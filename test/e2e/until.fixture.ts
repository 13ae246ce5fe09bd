import { setTimeout as pause } from "node:timers/promises";

export interface UntilOptions {
  /** Two minutes when left out: a loaded machine is slow. */
  readonly deadlineMs?: number;
  readonly everyMs?: number;
  /** What is told when the deadline has come. */
  readonly tell?: () => string;
}

/** Asks again and again until an answer other than undefined or false comes, and returns it; rejects at the deadline. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions = {},
): Promise<T> {
  const { deadlineMs = 120_000, everyMs = 25, tell } = options;
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) {
      throw new Error(`not within ${deadlineMs / 1000} s: ${what}${tell === undefined ? "" : `\n${tell()}`}`);
    }
    await pause(everyMs);
  }
}
