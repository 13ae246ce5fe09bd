import { conditionKey } from "../model/condition.js";
import type { Draft } from "./draft.js";
import type { ConnectionView } from "./snapshot.js";

/** After its start a leader does not yet know whether webhooks arrive. */
const settlingMs = 120_000;
/** When a poll was the first to tell of something, webhooks are not relied upon for so long. */
const distrustMs = 300_000;
/** Polls come up to this part sooner, so that those of several connections and replicas do not come together. */
const jitter = 0.2;

/** How long after its last poll a connection is polled again: seldom while webhooks tell of everything, otherwise often. */
export function pollIntervalMs(draft: Draft, view: ConnectionView): number {
  const { pollMs, pollHealthyMs } = draft.snapshot.schedules;
  const everyMs = hooksAreRelied(draft, view) ? Math.max(pollMs, pollHealthyMs) : pollMs;
  return Math.ceil(everyMs * (1 - jitter * fraction(`${view.spec.name}/${view.polledAt ?? 0}`)));
}

function hooksAreRelied({ now, snapshot, conditions }: Draft, { spec, hookedAt, newsByPollAt }: ConnectionView): boolean {
  if (hookedAt === undefined || now < snapshot.listeningSince + settlingMs) return false;
  if (newsByPollAt !== undefined && now < newsByPollAt + distrustMs) return false;
  const registered = conditions.get(conditionKey({ subject: { kind: "connection", name: spec.name }, type: "WebhookRegistered" }));
  return registered?.status !== false;
}

/** A number in [0, 1) that is always the same for a text (FNV-1a). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash / 2 ** 32;
}
