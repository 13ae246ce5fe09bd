import { isLeaving } from "../model/microvm.js";
import { retire } from "./advance.js";
import type { Draft } from "./draft.js";

/** How many Creates a host is sent before it has answered: it works one after the other anyway. */
const createsPerHost = 8;
/** How often a forge is asked for one runner. */
const makeAttempts = 5;

/** Sends what was decided: Create for allocated microVMs, runners for wanted identities. */
export function sendEffects(draft: Draft): void {
  const unanswered = new Map<string, number>();
  for (const vm of draft.microvms.values()) {
    if (draft.isInFlight(`host:${vm.name}`) && vm.uid === undefined) unanswered.set(vm.host, (unanswered.get(vm.host) ?? 0) + 1);
  }
  for (const vm of [...draft.microvms.values()]) {
    if (vm.phase !== "allocated") continue;
    const waiting = unanswered.get(vm.host) ?? 0;
    if (waiting >= createsPerHost || !draft.begin({ kind: "createOnHost", vm: vm.name, host: vm.host })) continue;
    unanswered.set(vm.host, waiting + 1);
    draft.putMicrovm({ ...vm, phase: "creating", createSentAt: draft.now });
  }
  for (const identity of [...draft.identities.values()]) {
    const vm = draft.microvms.get(identity.vm);
    if (identity.state !== "wanted" || vm === undefined || isLeaving(vm) || !draft.isFree(`runner:${identity.vm}`)) continue;
    if (identity.attempts >= makeAttempts) {
      retire(draft, vm, { code: "FR-FORGE-REJECTED", message: `the forge made no runner in ${makeAttempts} tries` });
      continue;
    }
    draft.begin({ kind: "makeRunner", vm: identity.vm, connection: identity.connection, findFirst: identity.attempts > 0 });
    draft.putIdentity({ ...identity, attempts: identity.attempts + 1 });
  }
}
