import type { Identity } from "../model/identity.js";
import { type RunnerTraits, sameTraits } from "../model/matches.js";
import { isSupply, type Microvm } from "../model/microvm.js";
import { classTraits } from "../model/runner-class.js";
import { sizeOf } from "../model/size-tag.js";
import { retire } from "./advance.js";
import type { Draft } from "./draft.js";
import { giveBack, mayGiveBack } from "./give-back.js";
import { TupleMap } from "./tuple-map.js";

/**
 * Takes back runners that would take other jobs than their pool's are now, or end them at another time: its tags, its untagged
 * jobs, its access level, the scope of its connection or `maxJobTimeoutS` were declared anew. Where nothing was delivered yet the
 * microVM stays and gets another runner; otherwise it is replaced. One that has its job goes on: its runner is paused, and takes
 * no other.
 */
export function replaceRedeclared(draft: Draft): void {
  const classes = new TupleMap<DeclaredClass>();
  for (const vm of draft.microvms.values()) {
    if (!vm.identity || !isSupply(vm)) continue;
    const identity = draft.identities.get(vm.name);
    if (identity === undefined) continue;
    const declared = classes.of([vm.pool, vm.sizeName, vm.connection], () => ({ runners: declaredRunners(draft, vm) }));
    if (declared.runners === undefined || isAsDeclared(identity, declared.runners)) continue;
    if (mayGiveBack(draft, vm)) giveBack(draft, vm, "its pool was declared anew: another runner is made");
    else retire(draft, vm);
  }
}

/** The microVMs of one pool, size and connection. */
interface DeclaredClass {
  /** What their runners are to be; undefined of what is not declared at all any more, which is not judged here. */
  readonly runners: DeclaredRunners | undefined;
}

type DeclaredRunners = RunnerTraits & Pick<Identity, "maxJobTimeoutS">;

function declaredRunners(draft: Draft, vm: Microvm): DeclaredRunners | undefined {
  const pool = draft.pools.get(vm.pool)?.spec;
  const connection = draft.connections.get(vm.connection)?.spec;
  if (pool === undefined || connection === undefined || sizeOf(pool, vm.sizeName) === undefined) return undefined;
  return { ...classTraits(pool, vm.sizeName, connection), maxJobTimeoutS: pool.maxJobTimeoutS };
}

function isAsDeclared(identity: Identity, declared: DeclaredRunners): boolean {
  const { tags, runUntagged, protectedOnly = false, scope = declared.scope, maxJobTimeoutS } = identity;
  return maxJobTimeoutS === declared.maxJobTimeoutS && sameTraits({ tags, runUntagged, protectedOnly, scope }, declared);
}
