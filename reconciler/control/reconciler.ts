import { FireRunnerError } from "../model/errors.js";
import type { Decision, Plan } from "../plan/draft.js";
import { plan } from "../plan/plan.js";
import type { Snapshot } from "../plan/snapshot.js";
import type { Change, Lease, Store, Write } from "../store/port.js";
import { Effects } from "./effects.js";
import { fenced } from "./fenced.js";
import { HintReader } from "./hint-reader.js";
import { Lanes } from "./lanes.js";
import { LeaderWrites } from "./leader-writes.js";
import { type LeaseTimes, ownStoreLease } from "./lease-times.js";
import { leftOutWrites } from "./left-out-writes.js";
import { LetterBox } from "./letter-box.js";
import { observe } from "./observe.js";
import { PlanGuard } from "./plan-guard.js";
import type { ControlPorts, ControlSettings } from "./ports.js";
import { SoftState } from "./soft-state.js";
import { Turns } from "./turns.js";

/** The loop turns whenever its lease is to be renewed: when it did not for so long, the process stood still or its clock was set. */
const standstillMs = 30_000;
/** The event by which one that ends well lets those that stand by know that the lease is free. */
const resigned = "LeaderResigned";
const laneWidth = 16;
const laneDepth = 4_096;

/** The running loop. */
export interface Reconciler {
  /** Asks for another pass; any number of wakes before it are one. */
  wake(): void;
  /** Reads a connection's waiting and running jobs as soon as possible. */
  pollSoon(connection: string): void;
  /** Asks every host for its microVMs and every forge for its jobs and runners as soon as possible; `false` when this process does not lead. */
  sweepSoon(): boolean;
  /** What the loop would decide upon at this moment; undefined when this process does not lead. */
  look(): Snapshot | undefined;
  /** Resolves as soon as nothing is under way and nothing is to be decided, for the first time, or another process leads. */
  settled(): Promise<void>;
  /** Whether this process leads, under which epoch, and when a pass ended last. */
  status(): LoopStatus;
  /** Ends after the pass and the effects under way; what is not finished is taken up by whoever leads next. */
  stop(): Promise<void>;
}

export interface LoopStatus {
  readonly leading: boolean;
  readonly epoch?: string;
  readonly passedAt: number | undefined;
}

/** Leads when it can, and then makes what is wanted true: observe, plan (by `decide`), commit, execute, again. */
export function startReconciler(ports: ControlPorts, settings: ControlSettings, decide: (snapshot: Snapshot) => Plan = plan): Reconciler {
  const loop = new Loop(ports, settings, decide);
  loop.start();
  return loop;
}

/** What lasts as long as one leadership. */
interface Term {
  readonly writes: LeaderWrites;
  readonly soft: SoftState;
  readonly guard: PlanGuard;
  readonly effects: Effects;
  readonly hints: HintReader;
}

class Loop implements Reconciler {
  private lease: Lease | undefined;
  private term: Term | undefined;
  private listeningSince = 0;
  private turnedAt: number | undefined;
  /** Whether anything happened that no pass has seen yet, and until when nothing else would be decided by itself. */
  private isAsked = false;
  private dueAt: number | undefined;
  /** While another replica leads, it is not asked for the lease again before this. */
  private standByUntil = 0;
  private readonly lanes = new Lanes(laneWidth, laneDepth);
  private readonly turns: Turns;
  private passedAt: number | undefined;
  /** What this loop is committing itself: it need not be woken for that. */
  private committing: readonly Write[] | undefined;
  private cancelTimer: () => void = () => {};
  private cancelRenewal: () => void = () => {};
  private cancelDemotion: () => void = () => {};
  private unwatch: () => void = () => {};
  private settle: () => void = () => {};
  private readonly settling = new Promise<void>((resolve) => {
    this.settle = resolve;
  });
  private readonly times: LeaseTimes;

  constructor(
    private readonly ports: ControlPorts,
    private readonly settings: ControlSettings,
    private readonly decide: (snapshot: Snapshot) => Plan,
  ) {
    this.times = settings.lease ?? ownStoreLease;
    this.turns = new Turns(ports.clock, () => this.turn());
  }

  start(): void {
    this.unwatch = this.ports.store.watch((change) => {
      if (change.events.some(({ type }) => type === resigned)) this.standByUntil = 0;
      if (!isOf(change, this.committing) && !this.isFollowed(change)) this.wake();
    });
    this.wake();
  }

  wake(): void {
    this.isAsked = true;
    this.turns.want();
  }

  /** Whether something changed that needs no pass: there are hints at jobs, and these are read already. */
  private isFollowed({ changed, events }: Change): boolean {
    const { term } = this;
    if (term === undefined || !this.holdsLease() || events.length > 0) return false;
    return changed.every(({ kind, key }) => kind === "hint" && term.hints.follow(key));
  }

  pollSoon(connection: string): void {
    this.term?.soft.forgetPoll(connection);
    this.wake();
  }

  sweepSoon(): boolean {
    if (this.term === undefined || !this.holdsLease()) return false;
    this.term.soft.makeDue(this.ports.clock.now(), this.settings.schedules.listHostsMs);
    this.wake();
    return true;
  }

  look(): Snapshot | undefined {
    return this.term === undefined || !this.holdsLease() ? undefined : this.term.guard.seen(this.observe(this.term));
  }

  settled(): Promise<void> {
    return this.settling;
  }

  status(): LoopStatus {
    const { lease, passedAt } = this;
    return lease === undefined || !this.holdsLease() ? { leading: false, passedAt } : { leading: true, epoch: lease.epoch, passedAt };
  }

  async stop(): Promise<void> {
    this.unwatch();
    this.cancelTimer();
    this.cancelRenewal();
    await this.turns.stop();
    await this.lanes.drain();
    this.settle();
    await this.resign();
  }

  /** Lets go of the lease, and lets those know that stand by. */
  private async resign(): Promise<void> {
    const { clock, store } = this.ports;
    const { holder } = this.settings;
    const isLeader = this.term !== undefined;
    this.depose();
    await store.releaseLease(holder);
    if (!isLeader) return;
    const message = "it ends, and leaves the lead to whoever takes it";
    await store.commit({ writes: [], events: [{ at: clock.now(), type: resigned, subject: { kind: "replica", name: holder }, message }] });
  }

  private async turn(): Promise<void> {
    try {
      const leads = await this.lead();
      if (leads && this.isDue()) await this.pass();
      // What was begun wakes the loop when it has ended.
      if (!leads || (!this.isAsked && this.lanes.isIdle())) this.settle();
    } catch (caught) {
      this.ports.observer.fault(FireRunnerError.from(caught, "FR-INTERNAL", "a pass of the loop"));
      this.wakeIn(1_000);
    }
  }

  /** A turn that only renewed the lease needs no pass: what was decided last still stands. The clock may have been set forward. */
  private isDue(): boolean {
    return this.isAsked || (this.dueAt !== undefined && this.dueAt <= this.ports.clock.now());
  }

  /** Guests were not heard before: their silence counts from here on. */
  private listenAnew(now: number): void {
    this.listeningSince = now;
    this.isAsked = true;
  }

  /** Takes or keeps the lease; a new term begins without soft state and with full grace for guests. */
  private async lead(): Promise<boolean> {
    const { clock, observer, store } = this.ports;
    const { ttlMs, renewMs, standByMs } = this.times;
    const now = clock.now();
    // Guests could not be heard while the process stood still, and times of another clock cannot be compared.
    const isSetBack = this.turnedAt !== undefined && now < this.turnedAt;
    if (isSetBack) this.term?.soft.setBack(now);
    if (isSetBack || (this.turnedAt !== undefined && now - this.turnedAt > standstillMs)) this.listenAnew(now);
    this.turnedAt = now;
    // A lease that lasts longer than any can comes of another time: nobody could take over before it ends.
    const leftMs = this.lease === undefined ? 0 : this.lease.expiresAt - now;
    if (leftMs > ttlMs - renewMs && leftMs <= ttlMs) return true;
    if (now < this.standByUntil && this.standByUntil - now <= standByMs) {
      // The timer that was to end this has gone off early when the clock was set back a little.
      this.wakeIn(this.standByUntil - now);
      return false;
    }
    const lease = await store.acquireLease(this.settings.holder, ttlMs);
    if (lease === undefined) {
      this.depose();
      this.standByUntil = now + standByMs;
      this.wakeIn(standByMs);
      return false;
    }
    const isNew = this.term === undefined || lease.epoch !== this.lease?.epoch;
    if (isNew) {
      this.term = this.newTerm(lease.epoch);
      this.listenAnew(clock.now());
    }
    // While the lease had run out, guests may have been heard by others that could not tell of it.
    if (leftMs <= 0) this.listenAnew(clock.now());
    this.lease = lease;
    if (isNew) observer.leads(lease.epoch);
    this.standByUntil = 0;
    this.cancelRenewal();
    this.cancelRenewal = clock.after(renewMs, () => this.turns.want());
    // A renewal that fails, or has no answer: others may lead from when it would have been over.
    this.cancelDemotion();
    this.cancelDemotion = clock.after(Math.max(lease.expiresAt - clock.now(), 0), () => this.depose());
    return true;
  }

  private newTerm(epoch: string): Term {
    const { ports } = this;
    // A write of a term before this one may be refused late.
    const writes = new LeaderWrites(ports.store, epoch, () => {
      if (this.lease?.epoch === epoch) this.depose();
    });
    const check = () => {
      const view = ports.store.ready();
      // What such a call finds or does could not be written down, and others may lead on what this process cannot see.
      if (!view.current) throw view.error;
      if (this.lease?.epoch === epoch && this.holdsLease(this.times.marginMs)) return;
      throw new FireRunnerError("FR-NOT-LEADER", "the call was not made: this process leads no more, or its lease ends too soon", {
        retryable: true,
      });
    };
    const soft = new SoftState();
    const effects: Effects = new Effects({
      // Effects reach the outside no longer than the lease lasts.
      ports: { ...ports, flintlock: fenced(ports.flintlock, check), forge: fenced(ports.forge, check) },
      settings: this.settings,
      soft,
      writes,
      letters: new LetterBox(ports.store, writes),
      lanes: this.lanes,
      isCurrent: () => this.term?.effects === effects,
      ended: () => this.wake(),
    });
    return { writes, soft, guard: new PlanGuard(this.decide), effects, hints: new HintReader(ports.store, soft, ports.clock, effects) };
  }

  /** Whether nobody else may lead for so long. After the clock was set back that is not known until the lease is renewed. */
  private holdsLease(forMs = 0): boolean {
    const leftMs = this.lease === undefined ? 0 : this.lease.expiresAt - this.ports.clock.now();
    return leftMs > forMs && leftMs <= this.times.ttlMs;
  }

  private depose(): void {
    const led = this.term !== undefined;
    this.cancelDemotion();
    this.lease = undefined;
    this.term = undefined;
    this.lanes.clear();
    if (led) this.ports.observer.leads(undefined);
  }

  private async pass(): Promise<void> {
    const { term, ports } = this;
    if (term === undefined) return;
    const beganAt = performance.now();
    const { clock, store } = ports;
    this.isAsked = false;
    const snapshot = this.observe(term);
    const guarded = term.guard.plan(snapshot);
    const { decided } = guarded;
    const writes = [...decided.decisions.map((decision) => toWrite(store, decision)), ...leftOutWrites(store, guarded)];
    this.cancelTimer();
    this.dueAt = decided.wakeAt;
    ports.observer.pass(performance.now() - beganAt, writes.length, decided.effects.length);
    if (!(await this.commit(term, writes, decided))) {
      // Somebody wrote in between: what was decided is void, and the pass is made again.
      this.wake();
      return;
    }
    this.passedAt = clock.now();
    for (const effect of decided.effects) term.effects.begin(effect);
    ports.flintlock.keepOnly(new Set(snapshot.hosts.map((host) => host.spec.name)));
    if (decided.wakeAt !== undefined) this.wakeIn(Math.max(decided.wakeAt - clock.now(), 1));
  }

  private observe({ soft }: Term): Snapshot {
    const { clock, guest, random, store } = this.ports;
    const { owner, schedules } = this.settings;
    return observe({ store, soft, guest, clock, random, owner, listeningSince: this.listeningSince, schedules });
  }

  private async commit(term: Term, writes: readonly Write[], { events }: Plan): Promise<boolean> {
    if (writes.length === 0 && events.length === 0) return true;
    // A deletion of what there is not only says that nothing may have come: no change tells of it.
    this.committing = writes.filter(({ value, expect }) => value !== null || expect !== "absent");
    try {
      return (await term.writes.commit({ writes, events })).outcome === "committed";
    } catch (caught) {
      if (caught instanceof FireRunnerError && caught.code === "FR-INVALID") term.guard.refused();
      throw caught;
    } finally {
      this.committing = undefined;
    }
  }

  private wakeIn(delayMs: number): void {
    this.cancelTimer();
    this.cancelTimer = this.ports.clock.after(delayMs, () => this.wake());
  }
}

/** Decisions were made from this very moment's records: their revisions are what the commit expects. */
function toWrite(store: Store, decision: Decision): Write {
  return { ...decision, expect: store.get(decision.kind, decision.key)?.revision ?? "absent" } as Write;
}

function isOf({ changed }: Change, writes: readonly Write[] | undefined): boolean {
  if (writes === undefined || changed.length !== writes.length) return false;
  return changed.every(({ kind, key }, index) => writes[index]?.kind === kind && writes[index].key === key);
}
