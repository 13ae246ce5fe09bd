import type { Readiness, ReadinessCheck, Standing } from "./http/routes/health.js";
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
  /** Where this process stands among the replicas. */
  readonly standing: () => Standing;
  /** The replica that leads, when one is known to. */
  readonly leader: () => string | undefined;
  /** Whether it was told to end: it takes work until then, but is to be given no more. */
  readonly isEnding: () => boolean;
}

const storeDeadlineMs = 2000;
const writable = { subject: { kind: "service", name: "store" }, type: "Writable" } as const;

/**
 * Whether the service can take work: its store must be writable, and it must not be about to end. Without the lead it still takes webhooks, and a host
 * or forge that is away holds up only its own jobs, so these are told but not required.
 */
export async function readReadiness(options: ReadinessOptions): Promise<Readiness> {
  const { store, clock, observer } = options;
  const replica = options.standing();
  const notAsked = replica.leading ? "not asked yet" : "only the replica that leads asks it";
  const named = (kind: "host" | "connection") =>
    store.list(kind).map(({ key }): ReadinessCheck => {
      const name = `${kind}/${key}`;
      const answer = observer.lastAnswer(name);
      if (answer === undefined) return { name, ok: false, required: false, message: notAsked };
      return answer.ok ? { name, ok: true, required: false } : { name, ok: false, required: false, message: answer.message };
    });
  const ending: ReadinessCheck[] = options.isEnding() ? [{ name: "running", ok: false, required: true, message: "this process ends" }] : [];
  return { checks: [...ending, await checkStore(store, clock), checkLeader(options), ...named("host"), ...named("connection")], replica };
}

function checkLeader({ standing, leader }: ReadinessOptions): ReadinessCheck {
  if (standing().leading) return { name: "leader", ok: true, required: false, message: "this process leads" };
  const name = leader();
  if (name !== undefined) return { name: "leader", ok: true, required: false, message: `${name} leads` };
  return { name: "leader", ok: false, required: false, message: "no process is known to lead (yet)" };
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
