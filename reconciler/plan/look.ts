import { conditionKey } from "../model/condition.js";
import type { Draft } from "./draft.js";
import { followHints } from "./hints.js";
import { pollIntervalMs } from "./poll-interval.js";
import type { ConnectionView } from "./snapshot.js";

/** How soon a host is listed again while a Create's answer is in doubt. */
const doubtMs = 1_000;
/** How often a connection's credential and webhook are checked, and how often while its credential is of no use. */
const checkMs = 600_000;
const checkUnusableMs = 60_000;
/** A forge that was not read for this long is not worked for: what waits there may have changed. */
const staleMs = 60_000;

/** Whether a forge was not read for too long for anything new to be made for it. */
export const isStale = (draft: Draft, { readAt }: ConnectionView): boolean => readAt === undefined || draft.reached(readAt + staleMs);

/** Asks hosts for their microVMs when it is time, and sooner while a Create's fate is unknown. */
export function askHosts(draft: Draft): void {
  const doubtful = new Set<string>();
  for (const vm of draft.microvms.values()) {
    if (vm.uid === undefined && vm.createSentAt !== undefined && vm.absentAt === undefined && !draft.isInFlight(`host:${vm.name}`))
      doubtful.add(vm.host);
  }
  for (const { spec, standing, observation } of draft.snapshot.hosts) {
    if (standing === "forgotten") continue;
    const everyMs = doubtful.has(spec.name) ? doubtMs : draft.snapshot.schedules.listHostsMs;
    if (observation === undefined || draft.reached(observation.at + everyMs)) draft.begin({ kind: "listHost", host: spec.name });
  }
}

/** Follows hints, and polls, sweeps and checks every forge when it is time. */
export function askForges(draft: Draft): void {
  followHints(draft);
  const waiting = new Set<string>();
  for (const job of draft.jobs.values()) if (job.status === "pending") waiting.add(job.connection);
  const { sweepMs } = draft.snapshot.schedules;
  for (const view of draft.snapshot.connections) {
    const { readAt, polledAt, sweptAt, checkedAt } = view;
    const { name } = view.spec;
    const due = polledAt === undefined || draft.toPoll.has(name) || draft.reached(polledAt + pollIntervalMs(draft, view));
    // Nothing is made for a forge that goes unread, and something waits there: rare polls are not waited for.
    const unread = waiting.has(name) && draft.reached((readAt ?? draft.now) + staleMs / 2);
    if (due || unread) draft.begin({ kind: "poll", connection: name });
    if (sweptAt === undefined || draft.reached(sweptAt + sweepMs)) draft.begin({ kind: "sweepRunners", connection: name });
    if (checkedAt === undefined || draft.reached(checkedAt + checkEveryMs(draft, name)))
      draft.begin({ kind: "checkConnection", connection: name });
  }
}

/** What somebody is about to mend is looked at sooner. */
function checkEveryMs(draft: Draft, name: string): number {
  const usable = draft.conditions.get(conditionKey({ subject: { kind: "connection", name }, type: "Usable" }));
  return usable?.status === false && usable.reason !== "Unknown" ? checkUnusableMs : checkMs;
}
