import type { Readiness, ReadinessCheck } from "./http/routes/health.js";
import type { WatchfulObserver } from "./loop-observer.js";
import type { Clock } from "./model/clock.js";
import { type Condition, conditionKey } from "./model/condition.js";
import { FireRunnerError } from "./model/errors.js";
import type { Store } from "./store/port.js";
import { within } from "./within.js";

export interface ReadinessOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly observer: Pick<WatchfulObserver, "lastAnswer">;
  readonly leading: () => boolean;
}

const storeDeadlineMs = 2000;
const writable = { subject: { kind: "service", name: "store" }, type: "Writable" } as const;

/**
 * Whether the service can take work: its store must be writable. Without the lead it still takes webhooks, and a host
 * or forge that is away holds up only its own jobs, so these are told but not required.
 */
export async function readReadiness({ store, clock, observer, leading }: ReadinessOptions): Promise<Readiness> {
  const named = (kind: "host" | "connection") =>
    store.list(kind).map(({ key }): ReadinessCheck => {
      const name = `${kind}/${key}`;
      const answer = observer.lastAnswer(name);
      if (answer === undefined) return { name, ok: false, required: false, message: "not asked yet" };
      return answer.ok ? { name, ok: true, required: false } : { name, ok: false, required: false, message: answer.message };
    });
  const lead: ReadinessCheck = leading()
    ? { name: "leader", ok: true, required: false }
    : { name: "leader", ok: false, required: false, message: "this process does not lead (yet)" };
  return { checks: [await checkStore(store, clock), lead, ...named("host"), ...named("connection")] };
}

/** A real write, of a condition that says just that. */
async function checkStore(store: Store, clock: Clock): Promise<ReadinessCheck> {
  const value: Condition = { ...writable, status: true, reason: "Probed", message: "", observedAt: clock.now(), count: 0 };
  try {
    const probe = store.commit({ writes: [{ kind: "condition", key: conditionKey(writable), value, expect: "any" }] });
    await within(clock, storeDeadlineMs, probe, "FR-STORE", "writing to the store");
    return { name: "store", ok: true, required: true };
  } catch (caught) {
    const error = FireRunnerError.from(caught, "FR-STORE", "writing to the store");
    return { name: "store", ok: false, required: true, message: `${error.code}: ${error.message}` };
  }
}
