import type { Job, WaitingReason } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool } from "../model/pool.js";
import { classKey, type RunnerClass, sizesInOrder } from "../model/runner-class.js";
import { sizeOf } from "../model/size-tag.js";
import { retire } from "./advance.js";
import type { Draft } from "./draft.js";
import { giveBack, mayGiveBack } from "./give-back.js";
import { IdleStock } from "./idle-stock.js";
import { explain } from "./jobs.js";
import { Making, onItsWay } from "./making.js";
import { Placement } from "./place.js";
import { beyondQuota } from "./project-quota.js";
import { whyNoRunner } from "./runner-limit.js";
import type { PoolView } from "./snapshot.js";
import { Supply } from "./supply.js";
import { TupleMap } from "./tuple-map.js";

/** How long a microVM with a runner may be surplus: its job may be taken and not yet known, or the next one be near. */
const surplusMs = 10_000;

/** Compares waiting jobs with the microVMs that could take them, class by class, and closes the difference. */
export function meetDemand(draft: Draft): void {
  const demand = new Demand(draft);
  demand.cover();
  demand.serve();
  demand.keepWarm();
}

/** The jobs of one class. */
interface ClassJobs {
  readonly runnerClass: RunnerClass;
  readonly waiting: Job[];
  /** When the forge was last found to have one of them no longer waiting. */
  lastLeftAt: number;
}

/** A waiting job that nothing covers. */
interface Unserved {
  readonly job: Job;
  readonly view: PoolView;
  readonly runnerClass: RunnerClass;
}

/** A class for which nothing more can be made, and those of its jobs that nothing covers. */
interface Refused {
  readonly view: PoolView;
  readonly runnerClass: RunnerClass;
  readonly jobs: Job[];
  reason: WaitingReason;
}

class Demand {
  private readonly supply: Supply;
  private readonly placement: Placement;
  private readonly making: Making;
  private readonly jobs = new TupleMap<ClassJobs>();
  private readonly unserved: Unserved[] = [];
  /** Classes for which nothing can be made: what is true of one job of them is true of the next. */
  private readonly refused = new Map<string, Refused>();
  private readonly shortOf = new Map<string, number>();
  private readonly idle: IdleStock;
  /** The sizes that matter, by pool. */
  private readonly sizes = new Map<string, readonly string[]>();
  private makesRoom = false;

  constructor(private readonly draft: Draft) {
    this.supply = new Supply(draft);
    this.placement = new Placement(draft);
    this.making = new Making(draft, this.supply, this.placement);
    this.idle = new IdleStock(draft, this.supply);
    const beyond = beyondQuota(draft, oldestFirst);
    for (const [key, job] of draft.jobs) {
      if (job.pool === undefined || job.size === undefined) continue;
      // Of those that left long ago nothing follows, and most of all jobs are such.
      if (job.status !== "pending" && job.readAt + surplusMs <= draft.now) continue;
      const reason = beyond.get(key);
      if (reason !== undefined) {
        explain(draft, job, reason);
        continue;
      }
      const own = this.jobsOf(job.pool, job.size);
      if (job.status === "pending") own.waiting.push(job);
      else if (job.readAt > own.lastLeftAt) own.lastLeftAt = job.readAt;
    }
    for (const { waiting } of this.jobs.values()) waiting.sort(oldestFirst);
    for (const { spec } of draft.snapshot.pools) this.sizes.set(spec.name, this.sizesOf(spec));
  }

  /** Covers jobs with the microVMs that there are, and lets go those that are too many, or idle for longer than `idleTimeS`. */
  cover(): void {
    const classes = this.draft.snapshot.pools.flatMap((view) =>
      (this.sizes.get(view.spec.name) ?? []).map((size) => ({ view, runnerClass: { pool: view.spec.name, size } })),
    );
    // At a forge's limit a job waits for the runners that are still to be made: first it is known which of them are not.
    for (const { view, runnerClass } of classes) this.endSurplus(view, runnerClass);
    for (const { view, runnerClass } of classes) this.coverClass(view, runnerClass);
  }

  /** Makes a microVM for every job that nothing covers, the oldest of the most important pools first, or says why not. */
  serve(): void {
    this.unserved.sort((a, b) => b.view.spec.priority - a.view.spec.priority || oldestFirst(a.job, b.job));
    for (const unserved of this.unserved) this.serveOne(unserved);
    // Only now is everything given out: what held for the first that were refused need not be the reason any more.
    for (const refused of this.refused.values()) {
      const { view, runnerClass, jobs } = refused;
      refused.reason = this.making.obstacle(view, runnerClass) ?? refused.reason;
      this.shortOf.set(view.spec.name, (this.shortOf.get(view.spec.name) ?? 0) + jobs.length);
      for (const job of jobs) explain(this.draft, job, refused.reason);
    }
    this.makeRoom();
  }

  /** Keeps as many microVMs without a credential ready as each pool's numbers of this minute say. */
  keepWarm(): void {
    for (const view of this.draft.snapshot.pools.toSorted((a, b) => b.spec.priority - a.spec.priority)) {
      for (const size of sizesInOrder(view.spec)) this.keepClassWarm(view, { pool: view.spec.name, size });
    }
  }

  /** Lets go the microVMs with a runner that have been more than the waiting jobs for long enough, or takes their runners back. */
  private endSurplus(view: PoolView, runnerClass: RunnerClass): void {
    const { waiting, lastLeftAt } = this.jobsOf(runnerClass.pool, runnerClass.size);
    const { committed, spare } = this.supply.of(runnerClass);
    for (const vm of this.supply.takeSurplus(runnerClass, waiting.length)) {
      const idleSince = Math.max(vm.assignedAt ?? 0, vm.committedAt ?? vm.allocatedAt, lastLeftAt);
      if (!this.draft.reached(idleSince + surplusMs)) committed.push(vm);
      else if (spare.length < this.idle.wanted(view, runnerClass) && mayGiveBack(this.draft, vm)) this.keepWithoutRunner(vm);
      else this.letGo(vm);
    }
  }

  private coverClass(view: PoolView, runnerClass: RunnerClass): void {
    const { waiting } = this.jobsOf(runnerClass.pool, runnerClass.size);
    const covered = onItsWay(runnerClass);
    const { committed, spare, ended } = this.supply.of(runnerClass);
    const connection = this.draft.connections.get(view.spec.connection)?.spec;
    let covering = committed.length + ended;
    let willRun = covering - committed.filter((vm) => this.draft.identities.get(vm.name)?.state === "wanted").length;
    let limited = whyNoRunner(this.draft, view.spec.connection);
    for (const job of waiting) {
      const mayCommit = !view.paused && limited === undefined;
      const vm = covering > 0 || !mayCommit || connection === undefined ? undefined : this.nextSpare(spare);
      if (vm !== undefined && connection !== undefined) {
        this.making.commit(vm, view.spec, connection);
        limited = whyNoRunner(this.draft, view.spec.connection);
      }
      if (covering > 0 || vm !== undefined) explain(this.draft, job, (willRun > 0 ? undefined : limited) ?? covered);
      else this.unserved.push({ job, view, runnerClass });
      covering -= 1;
      willRun -= 1;
    }
    this.letIdleGo(view, runnerClass);
  }

  private letIdleGo(view: PoolView, runnerClass: RunnerClass): void {
    const { spare } = this.supply.of(runnerClass);
    const { idleTimeS } = this.idle.numbers(view.spec);
    for (const vm of spare.splice(this.idle.wanted(view, runnerClass))) {
      if (this.draft.reached((vm.claimedAt ?? vm.allocatedAt) + idleTimeS * 1000)) this.letGo(vm);
      else spare.push(vm);
    }
  }

  private keepClassWarm(view: PoolView, runnerClass: RunnerClass): void {
    const { spec } = view;
    // Jobs go first: while they lack a place or room, what becomes free is theirs.
    if (this.shortOf.has(spec.name) || this.makesRoom) return;
    const missing = this.idle.wanted(view, runnerClass) - this.supply.of(runnerClass).spare.length;
    for (let n = 0; n < missing; n++) {
      if (this.making.make(view, runnerClass) !== undefined) return;
    }
  }

  /** What idles gives way to jobs that lack a place in its pool, or room on its host. */
  private makeRoom(): void {
    const spare = new Map<string, Microvm>();
    for (const { spec } of this.draft.snapshot.pools) {
      const own = (this.sizes.get(spec.name) ?? []).flatMap((size) => this.supply.of({ pool: spec.name, size }).spare);
      const missing = this.isFull(spec) ? (this.shortOf.get(spec.name) ?? 0) - this.supply.freeSoon(spec.name) : 0;
      own.forEach((vm, index) => {
        if (index < missing) this.letGo(vm);
        else spare.set(vm.name, vm);
      });
    }
    for (const { view, runnerClass, reason } of this.refused.values()) {
      const size = sizeOf(view.spec, runnerClass.size);
      if (reason.code !== "FR-NO-CAPACITY" || size === undefined) continue;
      const idle = [...spare.values()].filter((vm) => (this.draft.pools.get(vm.pool)?.spec.priority ?? 0) <= view.spec.priority);
      const going = this.placement.makeRoom(view.spec, size, this.supply.leaving, new Set(idle.map((vm) => vm.name)));
      if (going === undefined) continue;
      this.makesRoom = true;
      for (const vm of going) {
        this.letGo(vm);
        spare.delete(vm.name);
      }
    }
  }

  private serveOne({ job, view, runnerClass }: Unserved): void {
    const key = classKey(runnerClass);
    const known = this.refused.get(key);
    if (known !== undefined) {
      known.jobs.push(job);
      return;
    }
    const reason = this.making.make(view, runnerClass, job);
    if (reason === undefined) explain(this.draft, job, whyNoRunner(this.draft, view.spec.connection) ?? onItsWay(runnerClass));
    else this.refused.set(key, { view, runnerClass, jobs: [job], reason });
  }

  /** Takes the next one that may get a runner: a former one of its own must be gone first. */
  private nextSpare(spare: Microvm[]): Microvm | undefined {
    const index = spare.findIndex((vm) => !this.draft.identities.has(vm.name));
    return index < 0 ? undefined : spare.splice(index, 1)[0];
  }

  private keepWithoutRunner(vm: Microvm): void {
    this.supply.release(giveBack(this.draft, vm, "the job that it was made for no longer waits: it is kept ready"));
  }

  private letGo(vm: Microvm): void {
    this.supply.leave(retire(this.draft, vm));
  }

  /** The sizes of a pool that matter: those that it names, and those that jobs asked for within its limits. */
  private sizesOf(pool: Pool): readonly string[] {
    if (pool.limits === undefined) return sizesInOrder(pool);
    const classes = [...this.jobs.values().map(({ runnerClass }) => runnerClass), ...this.supply.present()];
    const asked = classes.flatMap(({ pool: name, size }) => (name === pool.name && sizeOf(pool, size) !== undefined ? [size] : []));
    return [...new Set([...sizesInOrder(pool), ...asked.toSorted()])];
  }

  private isFull(pool: Pool): boolean {
    return this.supply.usedBy(pool.name) >= pool.maxMicrovms;
  }

  private jobsOf(pool: string, size: string): ClassJobs {
    return this.jobs.of([pool, size], () => ({ runnerClass: { pool, size }, waiting: [], lastLeftAt: 0 }));
  }
}

function oldestFirst(a: Job, b: Job): number {
  return a.queuedAt - b.queuedAt || a.jobId - b.jobId || (a.connection < b.connection ? -1 : a.connection > b.connection ? 1 : 0);
}
