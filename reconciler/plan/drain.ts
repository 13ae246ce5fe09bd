import { retire } from "./advance.js";
import type { Draft } from "./draft.js";
import { toldToEnd } from "./parting.js";

/** Ends what still runs on hosts whose drain has come to its deadline. What has no job was told to go when the drain began. */
export function endDrains(draft: Draft): void {
  for (const vm of draft.microvms.values()) {
    if ((vm.phase !== "busy" && vm.phase !== "draining") || vm.endAskedAt !== undefined) continue;
    const deadlineAt = draft.hosts.get(vm.host)?.drainDeadlineAt;
    if (deadlineAt === undefined || !draft.reached(deadlineAt)) continue;
    const told = toldToEnd(draft, vm);
    if (vm.phase === "busy") retire(draft, told, { code: "FR-HOST-DRAINED", message: `the drain of host "${vm.host}" is at its deadline` });
    else if (vm.jobDeadlineAt === undefined || vm.jobDeadlineAt > draft.now) draft.putMicrovm(told);
  }
}
