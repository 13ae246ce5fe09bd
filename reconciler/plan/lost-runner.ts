import { isSupply } from "../model/microvm.js";
import { retire } from "./advance.js";
import { runnerDeleted } from "./backoff.js";
import type { Draft } from "./draft.js";

/** Replaces microVMs whose runner the forge does not have any more: no job will come to them. */
export function retireRunnerless(draft: Draft): void {
  for (const vm of draft.microvms.values()) {
    const identity = draft.identities.get(vm.name);
    if (isSupply(vm) && identity?.state === "ready" && identity.absent === true) retire(draft, vm, runnerDeleted);
  }
}
