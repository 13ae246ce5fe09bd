import type { Clock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Event } from "../model/event.js";
import type { Kind } from "../model/records.js";
import { GroupedStore, type Journal } from "../store/grouped-store.js";
import { emptyContents, Mirror, type Step } from "../store/mirror.js";
import type { Batch, Change, CommitResult, EventQuery, Lease, Store, Stored, View } from "../store/port.js";
import { warnOfFault } from "../store/watchers.js";
import type { FaultBoard } from "./dials.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

const eventRetention = 2_000;
/** Commits that are older reached the replicas: no failover loses them. */
const lagMs = 2_000;

export interface SimulatedStoreParts {
  readonly clock: VirtualClock;
  /** What the service takes for the time. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly random: SeededRandom;
  readonly faults: FaultBoard;
  readonly violate: (what: string) => void;
}

/**
 * The store of a simulated world: the production's logic over a mirror in memory, with commits that are late, fail, or are kept
 * without an answer, and with failovers in which the last of them are lost.
 */
export class SimulatedStore implements Store {
  private readonly mirror = new Mirror(emptyContents, eventRetention);
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly inner: GroupedStore;
  /** The last commits, oldest first, since the last that is known to be safe. */
  private steps: { readonly at: number; readonly step: Step }[] = [];
  /** The lease that was given out last: nobody may write under another. */
  private epoch: string | undefined;
  private failovers = 0;
  /** When it did not do at once what it was told. */
  troubledAt = 0;

  constructor(private readonly parts: SimulatedStoreParts) {
    const journal: Journal = {
      write: ({ steps }) => {
        const at = parts.clock.now();
        this.steps = [...this.steps.filter((kept) => kept.at > at - lagMs), ...steps.map((step) => ({ at, step }))];
      },
      close: () => {},
    };
    const { serviceClock, random } = parts;
    this.inner = new GroupedStore({
      mirror: this.mirror,
      journal,
      clock: serviceClock,
      random,
      schedule: queueMicrotask,
      onFault: warnOfFault,
    });
    this.inner.watch((change) => this.tell(change));
  }

  get<K extends Kind>(kind: K, key: string): Stored<K> | undefined {
    return this.inner.get(kind, key);
  }

  list<K extends Kind>(kind: K): readonly Stored<K>[] {
    return this.inner.list(kind);
  }

  count(kind: Kind): number {
    return this.inner.count(kind);
  }

  events(query: EventQuery): readonly Event[] {
    return this.inner.events(query);
  }

  async commit(batch: Batch): Promise<CommitResult> {
    const { clock, faults, random } = this.parts;
    const { failovers } = this;
    if (faults.strikes("storeSlow")) {
      this.troubledAt = clock.now();
      await clock.sleep(random.between(100, 4_000));
    }
    // What was begun with the store that failed over is refused by the one that took over.
    if (this.failovers !== failovers || faults.strikes("storeFails")) throw this.failure("the commit was not kept");
    const result = await this.inner.commit(batch);
    if (batch.epoch !== undefined && batch.epoch !== this.epoch && result.outcome === "committed") {
      this.parts.violate(`I6: a leader of epoch ${batch.epoch} wrote, which is not that of the last lease (${this.epoch ?? "nobody's"})`);
    }
    if (faults.strikes("storeAnswerLost")) throw this.failure("whether the commit was kept is not known");
    return result;
  }

  watch(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async acquireLease(holder: string, ttlMs: number): Promise<Lease | undefined> {
    const lease = await this.inner.acquireLease(holder, ttlMs);
    if (lease !== undefined) this.epoch = lease.epoch;
    return lease;
  }

  releaseLease(holder: string): Promise<void> {
    return this.inner.releaseLease(holder);
  }

  leaveNote(from: string, text: string, ttlMs: number): Promise<void> {
    return this.inner.leaveNote(from, text, ttlMs);
  }

  notes(): Promise<ReadonlyMap<string, string>> {
    return this.inner.notes();
  }

  ready(): View {
    return this.inner.ready();
  }

  /** What was committed before is lost by no failover from here on. */
  async settled(): Promise<void> {
    this.steps = [];
  }

  stop(): Promise<void> {
    return this.inner.stop();
  }

  /** A replica takes over that has not got the last commits, at most so many of them; nobody has the lease any more. */
  failOver(lost: number): void {
    this.failovers += 1;
    this.troubledAt = this.parts.clock.now();
    const since = this.parts.clock.now() - lagMs;
    const recent = this.steps.filter(({ at }) => at > since).map(({ step }) => step);
    const taken = lost === 0 ? [] : recent.slice(-lost);
    this.steps = [];
    this.mirror.takeBack(taken);
    this.mirror.leadership = { ...this.mirror.leadership, lease: undefined };
    this.epoch = undefined;
    const changed = taken.flatMap(({ replaced }) => replaced.map(({ kind, key }) => ({ kind, key })));
    this.tell({ revision: this.mirror.revision, changed, events: [] });
  }

  private failure(what: string): FireRunnerError {
    this.troubledAt = this.parts.clock.now();
    return new FireRunnerError("FR-STORE", `simulated: ${what}`, { retryable: true });
  }

  private tell(change: Change): void {
    for (const listener of [...this.listeners]) listener(change);
  }
}
