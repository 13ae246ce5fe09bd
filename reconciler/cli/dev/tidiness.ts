import { pause } from "./follow-pipeline.js";

/** What is left when no job waits or runs, beside the warm microVMs. */
export interface Leftovers {
  /** MicroVMs that hosts show, without the warm ones. */
  readonly vms: number;
  /** Runners in the forge. */
  readonly runners: number;
  /** Addresses that microVM records hold, without those of the warm ones. */
  readonly addresses: number;
  readonly warm: number;
}

const lookEveryMs = 200;

export const isTidy = (left: Leftovers): boolean => left.vms === 0 && left.runners === 0 && left.addresses === 0;

/** Counts again and again until nothing is left or the deadline has come; the last count is returned either way. */
export async function awaitTidiness(count: () => Promise<Leftovers>, deadlineMs: number, signal: AbortSignal): Promise<Leftovers> {
  const limit = Date.now() + deadlineMs;
  for (;;) {
    const left = await count();
    if (isTidy(left) || Date.now() >= limit) return left;
    await pause(lookEveryMs, signal);
  }
}
