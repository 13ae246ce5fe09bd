import { isLeaving } from "../model/microvm.js";
import { retire } from "./advance.js";
import type { Draft } from "./draft.js";
import { mayMakeRunner } from "./runner-limit.js";

/** How many Creates a host is sent before it has answered: it works one after the other anyway. */
const createsPerHost = 8;
/** How often a forge is asked for one runner: with growing pauses, about as long as a connection may go unread. */
const makeAttempts = 8;

/** Sends what was decided: Create for allocated microVMs, runners for wanted identities. */
export function sendEffects(draft: Draft): void {
  sendCreates(draft);
  for (const identity of draft.identities.values()) {
    const vm = draft.microvms.get(identity.vm);
    if (identity.state !== "wanted" || vm === undefined || isLeaving(vm) || draft.isInFlight(`runner:${identity.vm}`)) continue;
    if (!mayMakeRunner(draft, identity.connection)) continue;
    if (identity.attempts >= makeAttempts) {
      retire(draft, vm, { code: "FR-FORGE-REJECTED", message: `the forge made no runner in ${makeAttempts} tries` });
      draft.again();
      continue;
    }
    const { vm: name, connection, attempts } = identity;
    if (draft.begin({ kind: "makeRunner", vm: name, connection, findFirst: attempts > 0 }))
      draft.putIdentity({ ...identity, attempts: attempts + 1 });
  }
}

function sendCreates(draft: Draft): void {
  const unsent = [...draft.microvms.values()].filter((vm) => vm.phase === "allocated");
  if (unsent.length === 0) return;
  const unanswered = new Map<string, number>();
  for (const vm of draft.microvms.values()) {
    if (vm.uid === undefined && vm.createSentAt !== undefined && draft.isInFlight(`host:${vm.name}`))
      unanswered.set(vm.host, (unanswered.get(vm.host) ?? 0) + 1);
  }
  for (const vm of unsent) {
    const waiting = unanswered.get(vm.host) ?? 0;
    if (waiting >= createsPerHost || !draft.begin({ kind: "createOnHost", vm: vm.name, host: vm.host })) continue;
    unanswered.set(vm.host, waiting + 1);
    draft.putMicrovm({ ...vm, phase: "creating", createSentAt: draft.now });
  }
}
