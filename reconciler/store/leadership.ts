import type { Random } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Lease } from "./port.js";

/** Who leads, and how often the lead has changed hands since the store was made. */
export interface Leadership {
  readonly lease: Lease | undefined;
  readonly takeovers: number;
}

/** Refuses with `FR-INVALID` what is no holder or no time to live. */
export function checkClaim(holder: string, ttlMs: number): void {
  if (holder === "") throw new FireRunnerError("FR-INVALID", `holder of a lease: "" is refused: must be a name`);
  if (!Number.isSafeInteger(ttlMs) || ttlMs <= 0) {
    throw new FireRunnerError("FR-INVALID", `ttlMs of a lease: ${ttlMs} is refused: must be a whole number of milliseconds above 0`);
  }
}

/**
 * The lead with `holder`'s lease taken or renewed, or undefined while another holds it. A lease that lasts longer than the
 * one that is asked for is of before the clock was set back, and counts as free: everybody asks for the same time. Should its
 * holder live, it is deposed.
 */
export function claim(
  current: Leadership,
  holder: string,
  ttlMs: number,
  now: number,
  random: Random,
): (Leadership & { readonly lease: Lease }) | undefined {
  const { lease, takeovers } = current;
  const expiresAt = now + ttlMs;
  if (lease?.holder === holder) return { lease: { ...lease, expiresAt }, takeovers };
  if (lease !== undefined && lease.expiresAt > now && lease.expiresAt <= expiresAt) return undefined;
  // The random part tells apart two stores of which one was restored from a copy of the other.
  return { lease: { holder, epoch: `${takeovers + 1}-${random.hex(8)}`, expiresAt }, takeovers: takeovers + 1 };
}

/** The lead after `holder` let go; another's lease stays. */
export function release(current: Leadership, holder: string): Leadership {
  return current.lease?.holder === holder ? { lease: undefined, takeovers: current.takeovers } : current;
}

/**
 * Whether a write under `epoch` is the leader's. Only the epoch counts: a lease that ran out but was taken by nobody
 * still writes, because taking it makes a new epoch in this very store, and no two leaders ever write under one.
 */
export const mayWrite = (current: Leadership, epoch: string): boolean => current.lease?.epoch === epoch;
