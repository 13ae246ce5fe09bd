import { isSupply, type Microvm } from "../model/microvm.js";
import type { Draft } from "./draft.js";
import { leave, mayHoldCredential } from "./remove.js";

/** Whether a committed microVM's runner can be taken from it: nothing of it was delivered. */
export function mayGiveBack(draft: Draft, vm: Microvm): boolean {
  const identity = draft.identities.get(vm.name);
  if (!isSupply(vm) || vm.phase === "assigned" || identity === undefined) return false;
  return identity.state === "wanted" || !mayHoldCredential(draft, vm);
}

/** The microVM goes on without a runner, and serves whoever needs it first; its runner is removed in order. `why` is for people. */
export function giveBack(draft: Draft, vm: Microvm, why: string): Microvm {
  const identity = draft.identities.get(vm.name);
  // A runner that there is not leaves nothing to wait for.
  if (identity !== undefined && leave(draft, identity).absent === true) draft.dropIdentity(vm.name);
  const { committedAt: _committedAt, ...rest } = vm;
  draft.event("RunnerGivenBack", { kind: "microvm", name: vm.name }, why, vm.traceId);
  // Without a runner it may be what no job can use: that is judged in the next pass, at once.
  draft.again();
  return draft.putMicrovm({ ...rest, identity: false });
}
