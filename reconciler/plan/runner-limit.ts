import { type Condition, conditionKey } from "../model/condition.js";
import type { WaitingReason } from "../model/job.js";
import { isLeaving } from "../model/microvm.js";
import type { Draft } from "./draft.js";

/** The condition of a connection whose forge makes no more runners. */
export const runnerLimit = (connection: string) => ({ subject: { kind: "connection", name: connection }, type: "RunnerLimit" }) as const;

const firstMs = 5_000;
const longestMs = 300_000;

/** What is true after the forge has refused a runner for its limit: it is asked again after 5 s, and later and later up to 5 min. */
export function limitReached(connection: string, known: Condition | undefined, message: string, now: number): Condition {
  // Those that were refused together were refused once.
  const isSame = known?.until !== undefined && known.until > now;
  const count = isSame ? known.count : (known?.count ?? 0) + 1;
  const until = isSame ? known.until : now + Math.min(firstMs * 2 ** Math.min(count - 1, 10), longestMs);
  return { ...runnerLimit(connection), status: true, reason: "FR-FORGE-RUNNER-LIMIT", message, observedAt: now, count, until };
}

/** Whether the forge may be asked for another runner now. At its limit it is asked for one at a time. */
export function mayMakeRunner(draft: Draft, connection: string): boolean {
  const limited = draft.conditions.get(conditionKey(runnerLimit(connection)));
  if (limited === undefined) return true;
  return draft.reached(limited.until ?? draft.now) && !isAsked(draft, connection);
}

/**
 * Why nothing more is begun for a connection whose forge is at its limit: no microVM, and no runner for one that idles.
 * Undefined where there is no limit, and for the one try when its time has come and nothing else waits for a runner.
 */
export function whyNoRunner(draft: Draft, connection: string): WaitingReason | undefined {
  const limited = draft.conditions.get(conditionKey(runnerLimit(connection)));
  if (limited === undefined) return undefined;
  const isTime = draft.reached(limited.until ?? draft.now);
  if (isTime && !isOneWanted(draft, connection)) return undefined;
  return { code: "FR-FORGE-RUNNER-LIMIT", message: limited.message };
}

/** Whether a runner is still to be made for a microVM that stays. */
function isOneWanted(draft: Draft, connection: string): boolean {
  for (const { vm, connection: whose, state } of draft.identities.values()) {
    const microvm = draft.microvms.get(vm);
    if (whose === connection && state === "wanted" && microvm !== undefined && !isLeaving(microvm)) return true;
  }
  return false;
}

/** Whether a runner is being asked for. */
function isAsked(draft: Draft, connection: string): boolean {
  for (const { vm, connection: whose, state } of draft.identities.values()) {
    if (whose === connection && state === "wanted" && draft.isInFlight(`runner:${vm}`)) return true;
  }
  for (const { name, connection: whose, state } of draft.presences.values()) {
    if (whose === connection && state === "wanted" && draft.isInFlight(`presence:${name}`)) return true;
  }
  return false;
}
