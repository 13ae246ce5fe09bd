import type { Identity } from "../model/identity.js";
import { sameTraits } from "../model/matches.js";
import { isSupply, type Microvm } from "../model/microvm.js";
import { classTraits } from "../model/runner-class.js";
import { sizeOf } from "../model/size-tag.js";
import { retire } from "./advance.js";
import type { Draft } from "./draft.js";
import { giveBack, mayGiveBack } from "./give-back.js";

/**
 * Takes back runners that would take other jobs than their pool's are now, because its tags, its untagged jobs or its access
 * level were declared anew. Where nothing was delivered yet the microVM stays and gets another runner; otherwise it is
 * replaced. One that has its job goes on: its runner is paused, and takes no other.
 */
export function replaceRedeclared(draft: Draft): void {
  for (const vm of draft.microvms.values()) {
    const identity = draft.identities.get(vm.name);
    if (!isSupply(vm) || !vm.identity || identity === undefined || isAsDeclared(draft, vm, identity)) continue;
    if (mayGiveBack(draft, vm)) giveBack(draft, vm, "its pool was declared anew: another runner is made");
    else retire(draft, vm);
  }
}

function isAsDeclared(draft: Draft, vm: Microvm, { tags, runUntagged, protectedOnly = false }: Identity): boolean {
  const pool = draft.pools.get(vm.pool)?.spec;
  const connection = draft.connections.get(vm.connection)?.spec;
  // What is not declared at all any more is not this function's to judge.
  if (pool === undefined || connection === undefined || sizeOf(pool, vm.sizeName) === undefined) return true;
  const traits = classTraits(pool, vm.sizeName, connection);
  return sameTraits({ tags, runUntagged, protectedOnly, scope: traits.scope }, traits);
}
