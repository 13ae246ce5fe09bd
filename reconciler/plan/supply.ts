import { bootsOf } from "../model/image.js";
import { isLeaving, isSupply, type Microvm, phases } from "../model/microvm.js";
import type { RunnerClass } from "../model/runner-class.js";
import { sizeOf } from "../model/size-tag.js";
import { retire } from "./advance.js";
import { endedWithoutJob, imageHeldBack } from "./backoff.js";
import type { Draft } from "./draft.js";
import { whyClosed } from "./place.js";
import { mayHoldCredential } from "./remove.js";
import type { HostView } from "./snapshot.js";
import { TupleMap } from "./tuple-map.js";

/** Failures after which a microVM no longer counts against its pool although its host still has it. */
const lostFailures: ReadonlySet<string> = new Set(["FR-GUEST-LOST", "FR-VM-BOOT-TIMEOUT", "FR-HOST-UNREACHABLE"]);

/** The microVMs of one class that may serve its jobs. */
export interface ClassSupply {
  readonly runnerClass: RunnerClass;
  /** They have, or will have, a runner. */
  readonly committed: Microvm[];
  /** They have none, and serve whoever needs them first; those furthest on their way come first. */
  readonly spare: Microvm[];
  /** How many guests ended whose job, if they ran one, is still to be learned: a waiting job may be theirs. */
  ended: number;
  /** How many have a job, or are committed to one. */
  inUse: number;
}

/** What there is in one plan: supply by class, and the places that pools have used up. */
export class Supply {
  private readonly classes = new TupleMap<ClassSupply>();
  private readonly used = new Map<string, number>();
  /** MicroVMs on their way out that nothing runs on, as far as is known. */
  readonly leaving = new Set<string>();
  private readonly leavingPlaces = new Map<string, number>();

  constructor(draft: Draft) {
    for (const vm of draft.microvms.values()) {
      const counts = countsAgainstPool(draft, vm);
      if (counts) add(this.used, vm.pool, 1);
      const own = this.of({ pool: vm.pool, size: vm.sizeName });
      if (vm.phase === "busy" || (isSupply(vm) && vm.identity)) own.inUse += 1;
      if (isSupply(vm)) (vm.identity ? own.committed : own.spare).push(vm);
      else if (isLeaving(vm) && (vm.phase === "deleting" || vm.job === undefined)) {
        this.leaving.add(vm.name);
        if (counts) add(this.leavingPlaces, vm.pool, 1);
        if (vm.identity && endedWithoutJob(draft, vm)) own.ended += 1;
      }
    }
    for (const { spare } of this.classes.values()) spare.sort(furthestFirst);
  }

  of(runnerClass: RunnerClass): ClassSupply {
    return this.classes.of([runnerClass.pool, runnerClass.size], () => ({ runnerClass, committed: [], spare: [], ended: 0, inUse: 0 }));
  }

  /** Takes the committed microVMs of a class that are more than `wanted` out of it: those furthest on their way stay. */
  takeSurplus(runnerClass: RunnerClass, wanted: number): readonly Microvm[] {
    const { committed } = this.of(runnerClass);
    return committed.length <= wanted ? [] : committed.sort(furthestFirst).splice(wanted);
  }

  /** The classes that have any. */
  present(): readonly RunnerClass[] {
    return this.classes.values().map(({ runnerClass }) => runnerClass);
  }

  usedBy(pool: string): number {
    return this.used.get(pool) ?? 0;
  }

  /** How many of them will be free soon. */
  freeSoon(pool: string): number {
    return this.leavingPlaces.get(pool) ?? 0;
  }

  use(pool: string): void {
    add(this.used, pool, 1);
  }

  /** A microVM was committed to a job of its class just now. */
  commit(vm: Microvm): void {
    this.of({ pool: vm.pool, size: vm.sizeName }).inUse += 1;
  }

  /** A microVM gave its runner back just now: it serves whoever needs it first. */
  release(vm: Microvm): void {
    const own = this.of({ pool: vm.pool, size: vm.sizeName });
    own.inUse -= 1;
    own.spare.push(vm);
  }

  /** A microVM was told to go just now: it leaves its place soon. */
  leave(vm: Microvm): void {
    this.leaving.add(vm.name);
    add(this.leavingPlaces, vm.pool, 1);
    if (vm.identity) this.of({ pool: vm.pool, size: vm.sizeName }).inUse -= 1;
  }
}

/** Tells to go what no job can use any more, or what drifted from what its pool declares. */
export function retireStrays(draft: Draft): void {
  const boots = new Map(draft.snapshot.images.map((image) => [image.name, bootsOf(image)]));
  for (const vm of draft.microvms.values()) if (isSupply(vm) && isStray(draft, vm, boots)) retire(draft, vm);
}

/** Whether a microVM takes one of its pool's places: until it is lost or its Delete is accepted, and its runner takes no job any more. */
export function countsAgainstPool(draft: Draft, vm: Microvm): boolean {
  if (!isLeaving(vm)) return true;
  if (vm.absentAt !== undefined) return false;
  const identity = draft.identities.get(vm.name);
  const takesNoJob = identity === undefined || identity.absent === true || identity.pausedAt !== undefined || !mayHoldCredential(draft, vm);
  return !takesNoJob || (vm.deleteAcceptedAt === undefined && !lostFailures.has(vm.failure?.code ?? ""));
}

function isStray(draft: Draft, vm: Microvm, boots: ReadonlyMap<string, string>): boolean {
  const view = draft.pools.get(vm.pool);
  const pool = view?.spec;
  const size = pool === undefined ? undefined : sizeOf(pool, vm.sizeName);
  if (pool === undefined || size === undefined || pool.connection !== vm.connection) return true;
  // What was not sent yet finds another host sooner than this one finds back.
  const host = draft.hosts.get(vm.host);
  if (vm.phase === "allocated" && isClosed(draft, host, vm)) return true;
  // Whatever has no job leaves a host that drains: one that took its job meanwhile is waited for.
  if (host?.standing === "draining") return true;
  if (vm.identity) return false;
  const drifted = vm.image !== pool.image || vm.size.vcpu !== size.vcpu || vm.size.memoryMb !== size.memoryMb;
  const boot = boots.get(vm.image);
  const outdated = vm.boots !== undefined && boot !== undefined && vm.boots !== boot;
  return drifted || outdated || view?.draining === true;
}

function isClosed(draft: Draft, host: HostView | undefined, { image }: Microvm): boolean {
  return host === undefined || whyClosed(draft, host) !== undefined || imageHeldBack(draft, host.spec.name, image) !== undefined;
}

function furthestFirst(a: Microvm, b: Microvm): number {
  return phases.indexOf(b.phase) - phases.indexOf(a.phase) || a.allocatedAt - b.allocatedAt || (a.name < b.name ? -1 : 1);
}

function add(counts: Map<string, number>, key: string, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n);
}
