import { runnerDescription } from "../model/identity.js";
import { type Job, jobKey, type WaitingReason } from "../model/job.js";
import { microvmName } from "../model/mark.js";
import { isLeaving, isSupply, type Microvm, phases } from "../model/microvm.js";
import type { Pool } from "../model/pool.js";
import { classKey, classTraits, type RunnerClass, sizesInOrder } from "../model/runner-class.js";
import { retire } from "./advance.js";
import { classHeldBack } from "./backoff.js";
import type { Draft } from "./draft.js";
import { explain } from "./jobs.js";
import { Placement } from "./place.js";
import type { ConnectionView, PoolView } from "./snapshot.js";

/** A forge that was not read for this long is not worked for: what waits there may have changed. */
const staleMs = 60_000;
/** How long an assigned microVM may wait in vain before it is surplus: its job may be taken and not yet known. */
const surplusMs = 10_000;
/** Failures after which a microVM no longer counts against its pool although its host still has it. */
const lostFailures: ReadonlySet<string> = new Set(["FR-GUEST-LOST", "FR-VM-BOOT-TIMEOUT", "FR-HOST-UNREACHABLE"]);

/** Compares waiting jobs with the microVMs that could take them, class by class, and closes the difference. */
export function meetDemand(draft: Draft): void {
  for (const vm of [...draft.microvms.values()]) {
    if (isSupply(vm) && !draft.pools.has(vm.pool)) retire(draft, vm);
  }
  const waiting = groupBy(
    [...draft.jobs.values()].filter((job) => job.status === "pending" && job.pool !== undefined),
    (job) => classKey({ pool: job.pool ?? "", size: job.size ?? "" }),
  );
  const microvms = groupBy([...draft.microvms.values()], (vm) => vm.pool);
  const placement = new Placement(draft);
  const ordered = draft.snapshot.pools.toSorted((a, b) => b.spec.priority - a.spec.priority);
  const shortOf = new Set<string>();
  for (const view of ordered) {
    const pool = new PoolRound(draft, view, microvms.get(view.spec.name) ?? [], placement);
    if (!pool.serve(waiting)) shortOf.add(view.spec.name);
  }
  for (const view of ordered) {
    const pool = new PoolRound(
      draft,
      view,
      [...draft.microvms.values()].filter((vm) => vm.pool === view.spec.name),
      placement,
    );
    pool.keepWarm(shortOf.has(view.spec.name));
  }
}

/** One pool in one plan. */
class PoolRound {
  private readonly spec: Pool;
  private readonly connection: ConnectionView | undefined;
  private counted: number;

  constructor(
    private readonly draft: Draft,
    private readonly view: PoolView,
    private readonly microvms: readonly Microvm[],
    private readonly placement: Placement,
  ) {
    this.spec = view.spec;
    this.connection = draft.connections.get(view.spec.connection);
    this.counted = microvms.filter(countsAgainstPool).length;
  }

  /** Covers or explains every waiting job of the pool; tells whether all are covered. */
  serve(waiting: ReadonlyMap<string, readonly Job[]>): boolean {
    const sizes = sizesInOrder(this.spec).map((size) => this.serveClass({ pool: this.spec.name, size }, waiting));
    return sizes.every((covered) => covered);
  }

  /** Keeps `minIdle` microVMs without a credential ready, and no more of them than wanted for longer than `idleTimeS`. */
  keepWarm(short: boolean): void {
    const idle = this.microvms.filter((vm) => isSupply(vm) && !vm.identity && vm.sizeName === this.spec.size).toSorted(furthestFirst);
    for (const vm of idle.slice(this.spec.minIdle)) {
      const idleSince = vm.claimedAt ?? vm.allocatedAt;
      if (this.draft.reached(idleSince + this.spec.idleTimeS * 1000)) retire(this.draft, vm);
    }
    if (short || this.obstacle({ pool: this.spec.name, size: this.spec.size }) !== undefined) return;
    for (let missing = this.spec.minIdle - idle.length; missing > 0; missing--) {
      if (this.counted >= this.spec.maxMicrovms || "code" in this.create(this.spec.size)) return;
    }
  }

  private serveClass(runnerClass: RunnerClass, waiting: ReadonlyMap<string, readonly Job[]>): boolean {
    const jobs = (waiting.get(classKey(runnerClass)) ?? []).toSorted((a, b) => a.queuedAt - b.queuedAt || a.jobId - b.jobId);
    const supply = this.microvms.filter((vm) => isSupply(vm) && vm.sizeName === runnerClass.size).toSorted(furthestFirst);
    const committed = supply.filter((vm) => vm.identity);
    this.retireSurplus(committed.slice(jobs.length));
    const uncovered = jobs.slice(committed.length);
    for (const job of jobs.slice(0, committed.length)) this.explainCovered(job);
    const spare = supply.filter((vm) => !vm.identity);
    const unserved = uncovered.slice(spare.length);
    uncovered.slice(0, spare.length).forEach((job, index) => {
      const vm = spare[index];
      if (vm !== undefined) this.commit(vm);
      this.explainCovered(job);
    });
    return this.createFor(runnerClass, unserved);
  }

  private createFor(runnerClass: RunnerClass, jobs: readonly Job[]): boolean {
    let reason = this.obstacle(runnerClass);
    for (const job of jobs) {
      if (reason === undefined && this.counted >= this.spec.maxMicrovms) {
        this.makeRoom(runnerClass);
        reason = { code: "FR-POOL-LIMIT", message: `pool "${this.spec.name}" has its maxMicrovms of ${this.spec.maxMicrovms}` };
      }
      if (reason === undefined) {
        const made = this.create(runnerClass.size, job);
        if ("code" in made) reason = made;
      }
      if (reason === undefined) this.explainCovered(job);
      else explain(this.draft, job, reason);
    }
    return reason === undefined;
  }

  /** What forbids anything new for a class at the moment. */
  private obstacle(runnerClass: RunnerClass): WaitingReason | undefined {
    if (this.view.paused) return { code: "FR-POOL-LIMIT", message: `pool "${this.spec.name}" is paused` };
    if (this.connection === undefined || !this.draft.snapshot.images.some((image) => image.name === this.spec.image)) {
      return {
        code: "FR-NOT-FOUND",
        message: `pool "${this.spec.name}" needs connection "${this.spec.connection}" and image "${this.spec.image}"`,
      };
    }
    if (this.draft.now - (this.connection.readAt ?? Number.NEGATIVE_INFINITY) > staleMs) {
      return { code: "FR-CONNECTION-STALE", message: `connection "${this.spec.connection}" has not been read for a minute` };
    }
    const held = classHeldBack(this.draft, runnerClass);
    if (held === undefined) return undefined;
    return { code: "FR-POOL-BACKOFF", message: `${held.count} microVMs in a row took no job (${held.reason}: ${held.message})` };
  }

  private create(sizeName: string, job?: Job): Microvm | WaitingReason {
    const size = this.spec.sizes[sizeName];
    if (size === undefined) return { code: "FR-NOT-FOUND", message: `pool "${this.spec.name}" has no size "${sizeName}"` };
    const place = this.placement.take(this.spec, size);
    if ("code" in place) return place;
    const { draft } = this;
    const n = draft.nextName();
    if (n >= 1024) return { code: "FR-WAITING-FOR-MICROVM", message: "its microVM is decided on in the next pass" };
    const vm: Microvm = {
      name: microvmName(draft.snapshot.seed.name, n),
      pool: this.spec.name,
      connection: this.spec.connection,
      image: this.spec.image,
      sizeName,
      size,
      ...place,
      phase: "allocated",
      allocatedAt: draft.now,
      identity: false,
      traceId: job?.traceId ?? draft.snapshot.seed.trace + n.toString(16).padStart(4, "0"),
    };
    this.counted += 1;
    draft.event("MicrovmAllocated", { kind: "microvm", name: vm.name }, `${sizeName} of pool ${vm.pool} on ${vm.host}`, vm.traceId);
    return job === undefined ? draft.putMicrovm(vm) : this.commit(vm);
  }

  /** Commits a microVM to its class: it gets an identity. */
  private commit(vm: Microvm): Microvm {
    const { draft, connection } = this;
    if (connection === undefined) return draft.putMicrovm(vm);
    const traits = classTraits(this.spec, vm.sizeName, connection.spec);
    draft.putIdentity({
      vm: vm.name,
      connection: vm.connection,
      description: runnerDescription(draft.snapshot.owner, vm.pool, vm.name),
      tags: [...traits.tags],
      runUntagged: traits.runUntagged,
      maxJobTimeoutS: this.spec.maxJobTimeoutS,
      state: "wanted",
      attempts: 0,
    });
    return draft.putMicrovm({ ...vm, identity: true, committedAt: draft.now });
  }

  private retireSurplus(surplus: readonly Microvm[]): void {
    for (const vm of surplus) {
      if (vm.phase !== "assigned" || this.draft.reached((vm.assignedAt ?? vm.allocatedAt) + surplusMs)) retire(this.draft, vm);
    }
  }

  /** A full pool gives up a microVM that idles in another size. */
  private makeRoom(wanted: RunnerClass): void {
    const idle = this.microvms.find(
      (vm) => isSupply(vm) && !vm.identity && vm.sizeName !== wanted.size && !isLeaving(this.draft.microvms.get(vm.name) ?? vm),
    );
    if (idle !== undefined) retire(this.draft, idle);
  }

  private explainCovered(job: Job): void {
    const current = this.draft.jobs.get(jobKey(job)) ?? job;
    explain(this.draft, current, {
      code: "FR-WAITING-FOR-MICROVM",
      message: `a microVM of size "${job.size}" of pool "${this.spec.name}" is on its way`,
    });
  }
}

/** Whether a microVM takes one of its pool's places: until Delete is accepted, or it is lost with its host. */
export function countsAgainstPool(vm: Microvm): boolean {
  if (vm.phase !== "deleting") return true;
  return vm.deleteAcceptedAt === undefined && vm.absentAt === undefined && !lostFailures.has(vm.failure?.code ?? "");
}

function furthestFirst(a: Microvm, b: Microvm): number {
  return phases.indexOf(b.phase) - phases.indexOf(a.phase) || a.allocatedAt - b.allocatedAt || (a.name < b.name ? -1 : 1);
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
