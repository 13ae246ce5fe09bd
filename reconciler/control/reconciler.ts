import { FireRunnerError } from "../model/errors.js";
import type { Decision, Plan } from "../plan/draft.js";
import { type Effect, effectKey, effectLane } from "../plan/effect.js";
import { plan } from "../plan/plan.js";
import type { Lease, Store, Write } from "../store/port.js";
import { execute } from "./execute.js";
import { Lanes } from "./lanes.js";
import { LeaderWrites } from "./leader-writes.js";
import { observe } from "./observe.js";
import type { ControlPorts, ControlSettings } from "./ports.js";
import { SoftState } from "./soft-state.js";

const leaseMs = 30_000;
const renewMs = 10_000;
/** No effect begins when the lease ends before the effect's own deadline could. */
const effectDeadlineMs = 15_000;
const laneWidth = 16;
const laneDepth = 4_096;

/** The running loop. */
export interface Reconciler {
  /** Asks for another pass; any number of wakes before it are one. */
  wake(): void;
  /** Whether this process leads, and when a pass ended last. */
  status(): { readonly leading: boolean; readonly passedAt: number | undefined };
  /** Ends after the pass and the effects under way; what is not finished is taken up by whoever leads next. */
  stop(): Promise<void>;
}

/** Leads when it can, and then makes what is wanted true: observe, plan, commit, execute, again. */
export function startReconciler(ports: ControlPorts, settings: ControlSettings): Reconciler {
  const loop = new Loop(ports, settings);
  loop.start();
  return loop;
}

class Loop implements Reconciler {
  private lease: Lease | undefined;
  private term: { readonly writes: LeaderWrites; readonly soft: SoftState; readonly listeningSince: number } | undefined;
  private readonly lanes = new Lanes(laneWidth, laneDepth);
  private wanted = false;
  private running: Promise<void> | undefined;
  private stopping = false;
  private passedAt: number | undefined;
  private cancelTimer: () => void = () => {};
  private cancelRenewal: () => void = () => {};
  private unwatch: () => void = () => {};

  constructor(
    private readonly ports: ControlPorts,
    private readonly settings: ControlSettings,
  ) {}

  start(): void {
    this.unwatch = this.ports.store.watch(() => this.wake());
    this.wake();
  }

  wake(): void {
    if (this.stopping) return;
    this.wanted = true;
    this.running ??= this.passes().finally(() => {
      this.running = undefined;
      if (this.wanted) this.wake();
    });
  }

  status() {
    return { leading: this.term !== undefined, passedAt: this.passedAt };
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.unwatch();
    this.cancelTimer();
    this.cancelRenewal();
    await this.running;
    await this.lanes.drain();
    await this.ports.store.releaseLease(this.settings.holder);
  }

  private async passes(): Promise<void> {
    while (this.wanted && !this.stopping) {
      this.wanted = false;
      try {
        if (await this.lead()) await this.pass();
      } catch (caught) {
        this.ports.observer.fault(FireRunnerError.from(caught, "FR-INTERNAL", "a pass of the loop"));
        this.wakeIn(1_000);
      }
    }
  }

  /** Takes or keeps the lease; a new term begins without soft state and with full grace for guests. */
  private async lead(): Promise<boolean> {
    const { clock, store } = this.ports;
    if (this.lease !== undefined && this.lease.expiresAt - clock.now() > leaseMs - renewMs) return true;
    const lease = await store.acquireLease(this.settings.holder, leaseMs);
    if (lease === undefined) {
      this.depose();
      this.wakeIn(renewMs);
      return false;
    }
    if (this.term === undefined || lease.epoch !== this.lease?.epoch) {
      this.term = { writes: new LeaderWrites(store, lease.epoch, () => this.depose()), soft: new SoftState(), listeningSince: clock.now() };
    }
    this.lease = lease;
    this.cancelRenewal();
    this.cancelRenewal = clock.after(renewMs, () => this.wake());
    return true;
  }

  private depose(): void {
    this.lease = undefined;
    this.term = undefined;
  }

  private async pass(): Promise<void> {
    const { term, ports } = this;
    if (term === undefined) return;
    const beganAt = performance.now();
    const { clock, guest, random, store } = ports;
    const { owner, schedules } = this.settings;
    const snapshot = observe({ store, soft: term.soft, guest, clock, random, owner, listeningSince: term.listeningSince, schedules });
    const decided = plan(snapshot);
    const batch = { writes: decided.decisions.map((decision) => toWrite(store, decision)), events: decided.events };
    this.cancelTimer();
    ports.observer.pass(performance.now() - beganAt, decided.decisions.length, decided.effects.length);
    if (batch.writes.length > 0 || batch.events.length > 0) {
      const { outcome } = await term.writes.commit(batch);
      // Somebody wrote in between: what was decided is void, and the pass is made again.
      if (outcome !== "committed") {
        this.wanted = true;
        return;
      }
    }
    this.passedAt = clock.now();
    this.begin(decided, term);
    ports.flintlock.keepOnly(new Set(snapshot.hosts.map((host) => host.spec.name)));
    if (decided.wakeAt !== undefined) this.wakeIn(Math.max(decided.wakeAt - clock.now(), 1));
  }

  private begin(decided: Plan, term: NonNullable<Loop["term"]>): void {
    if (this.stopping) return;
    if (this.lease === undefined || this.lease.expiresAt - this.ports.clock.now() < effectDeadlineMs) {
      this.wakeIn(100);
      return;
    }
    for (const effect of decided.effects) {
      const key = effectKey(effect);
      term.soft.begin(key);
      if (!this.lanes.offer(effectLane(effect), () => this.carryOut(effect, key, term))) term.soft.succeed(key);
    }
  }

  private async carryOut(effect: Effect, key: string, term: NonNullable<Loop["term"]>): Promise<void> {
    const { clock, observer, random } = this.ports;
    const beganAt = clock.now();
    try {
      const execution = await execute(effect, { ports: this.ports, settings: this.settings, soft: term.soft, writes: term.writes });
      if (execution === "done") term.soft.succeed(key);
      else term.soft.fail(key, clock.now(), random.next());
      observer.effect(effect, "ok", clock.now() - beganAt);
    } catch (caught) {
      const error = FireRunnerError.from(caught, "FR-INTERNAL", `effect ${key}`);
      term.soft.fail(key, clock.now(), random.next(), error.retryAfterMs);
      observer.effect(effect, "failed", clock.now() - beganAt, error);
    }
    this.wake();
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
