import type { Clock } from "../model/clock.js";

export interface RefusalBudgetOptions {
  /** How many refusals an address may get at once. */
  readonly burst: number;
  /** After how long one of them is forgotten. */
  readonly refillMs: number;
  /** How many addresses are remembered; the one that was refused longest ago makes room. */
  readonly maxAddresses: number;
}

const usual: RefusalBudgetOptions = { burst: 20, refillMs: 1000, maxAddresses: 4096 };

/**
 * Counts refusals by source address; `false` once an address has had too many. Only refused calls are to be counted:
 * guests behind one host's NAT share an address, and a bad one among them must not keep the others out.
 */
export function createRefusalBudget(clock: Pick<Clock, "now">, options: RefusalBudgetOptions = usual): (address: string) => boolean {
  const spent = new Map<string, { readonly refusals: number; readonly at: number }>();
  return (address) => {
    const now = clock.now();
    const before = spent.get(address);
    const left = before === undefined ? 0 : Math.max(0, before.refusals - (now - before.at) / options.refillMs);
    const within = left + 1 <= options.burst;
    // Put last, so that the first one is always the one that was refused longest ago.
    spent.delete(address);
    spent.set(address, { refusals: within ? left + 1 : left, at: now });
    if (spent.size > options.maxAddresses) {
      const [oldest] = spent.keys();
      if (oldest !== undefined) spent.delete(oldest);
    }
    return within;
  };
}
