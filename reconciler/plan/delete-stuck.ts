import { conditionKey } from "../model/condition.js";
import type { Microvm } from "../model/microvm.js";
import type { Draft } from "./draft.js";

/** A host that lost sight of a Delete finds it at its next resync, every ten minutes: what is there after that is stuck. */
const stuckAfterMs = 600_000;

/** The condition of a microVM that does not go. Its host is degraded as long as it stands. */
export const deleteStuck = "DeleteStuck";

/** Tells once of a microVM that its host still has long after it was to be deleted. It is waited for all the same. */
export function tellStuck(draft: Draft, vm: Microvm): void {
  const since = vm.deletingAt ?? vm.deleteAcceptedAt;
  if (since === undefined || !draft.reached(since + stuckAfterMs)) return;
  const subject = { kind: "microvm", name: vm.name };
  if (draft.conditions.has(conditionKey({ subject, type: deleteStuck }))) return;
  const what =
    vm.deleteAcceptedAt === undefined
      ? `host "${vm.host}" did not accept its Delete`
      : `host "${vm.host}" accepted its Delete at ${new Date(vm.deleteAcceptedAt).toISOString()}, and still has it`;
  const message = `${what}; its room and its address are not free until it is gone`;
  draft.putCondition({ subject, type: deleteStuck, status: true, reason: "FR-VM-DELETE-STUCK", message, observedAt: draft.now, count: 0 });
  draft.event(deleteStuck, subject, `FR-VM-DELETE-STUCK: ${message}`, vm.traceId);
}
