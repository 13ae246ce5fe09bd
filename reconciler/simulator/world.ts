import { type LeaseTimes, ownStoreLease } from "../control/lease-times.js";
import type { Reconciler } from "../control/reconciler.js";
import type { Guest } from "../guest/guest.js";
import type { Connection } from "../model/connection.js";
import { hintKey, type Operation, operationKey } from "../model/front-door.js";
import type { Host } from "../model/host.js";
import type { Image } from "../model/image.js";
import { type Job, jobKey } from "../model/job.js";
import type { Pool } from "../model/pool.js";
import type { Plan } from "../plan/draft.js";
import { plan } from "../plan/plan.js";
import type { Snapshot } from "../plan/snapshot.js";
import type { Store } from "../store/port.js";
import { type Crossing, type Fate, kill, tell } from "./boundary.js";
import { calm, type Dials, FaultBoard } from "./dials.js";
import { Diary } from "./diary.js";
import { simulatedConnection, simulatedImage } from "./fleet.js";
import type { SimulatedJob } from "./forge-workings.js";
import { People } from "./people.js";
import { SeededRandom } from "./seeded-random.js";
import { type ServiceProcess, startProcess } from "./service-process.js";
import { SimulatedForge } from "./simulated-forge.js";
import { SimulatedGuests } from "./simulated-guests.js";
import { SimulatedHosts } from "./simulated-hosts.js";
import { SimulatedStore } from "./simulated-store.js";
import { VirtualClock } from "./virtual-clock.js";

const beginAt = 1_700_000_000_000;

/** The whole world in one thread: the production's loop and store logic, and everything around them made of one seed. */
export class World {
  readonly clock: VirtualClock;
  readonly faults: FaultBoard;
  readonly hosts: SimulatedHosts;
  readonly forge: SimulatedForge;
  readonly guests: SimulatedGuests;
  readonly people: People;
  /** What went wrong, found by the invariants. */
  readonly violations: string[] = [];
  /** The microVMs that were told to go. */
  readonly left = new Set<string>();
  /** The microVMs that were on record, by their hosts' ids. */
  readonly known = new Set<string>();
  /** When all that was written down was lost, if it was: what had been sent before nobody knows of until it is seen. */
  lostStoreAt: number | undefined;
  /** Whether something failed for so long that the forge may have given up jobs that waited. */
  mayGiveUp = false;
  /** How the processes that start from here on decide. */
  decide: (snapshot: Snapshot) => Plan = plan;
  /** How long the lead lasts of those. */
  lease: LeaseTimes = ownStoreLease;
  /** What becomes of a process at a call, unless a fault says so. */
  fate: (crossing: Crossing) => Fate = () => "lives";
  /** How often a loop has decided. */
  passes = 0;
  private current: SimulatedStore;
  private readonly diary: Diary;
  private processes: ServiceProcess[] = [];
  private started = 0;
  private stores = 0;
  private activity = 0;
  /** How far the service's clock is ahead of the world's. */
  private aheadMs = 0;
  private readonly isolatedUntil = new Map<string, number>();
  private readonly random: SeededRandom;

  constructor(
    readonly seed: number,
    /** What must hold after every event. */
    private readonly check: (world: World) => void,
    dials: Dials = { ...calm },
    connection: Connection = simulatedConnection(),
    startAt = beginAt,
  ) {
    this.clock = new VirtualClock(startAt);
    this.diary = new Diary(this.clock);
    this.random = SeededRandom.named(seed, "world");
    this.faults = new FaultBoard(seed, dials);
    this.current = this.openStore();
    this.people = new People(() => this.current, this.clock);
    const changed = () => {
      this.activity += 1;
    };
    this.hosts = new SimulatedHosts(this.clock, SeededRandom.named(seed, "hosts"), this.faults, {
      made: ({ record, host }) => this.note(`Create of ${record.name} on ${host}, ${record.address ?? record.mac}`),
      booted: (machine) => this.guests.boot(machine),
      deleting: ({ record, uid }) => {
        this.note(`Delete of ${record.name}`);
        const job = this.guests.running.get(uid);
        const deadline = this.store.get("microvm", record.name)?.value.jobDeadlineAt ?? Number.POSITIVE_INFINITY;
        if (job?.status === "running" && deadline > this.now()) this.violate(`I4: ${record.name} is deleted over job ${job.jobId}`);
        else if (job?.status === "running") this.guests.lost.add(job.jobId);
      },
      destroyed: (machine) => this.guests.die(machine),
      changed,
    });
    this.forge = new SimulatedForge(this.clock, SeededRandom.named(seed, "forge"), this.faults, connection, {
      hook: (job) => this.hook(job),
      changed,
    });
    this.guests = new SimulatedGuests(this.clock, seed, this.faults, this.forge, this, (what) => this.violate(what));
  }

  get store(): Store {
    return this.current;
  }

  /** What is written down of a job of the forge. */
  recordOf(job: SimulatedJob): Job | undefined {
    return this.store.get("job", jobKey({ connection: "forge", ...job }))?.value;
  }

  get dials(): Dials {
    return this.faults.dials;
  }

  /** What happened, for whoever looks into a seed that failed. */
  get log(): readonly string[] {
    return this.diary.lines();
  }

  async declare(
    hosts: readonly Host[],
    pools: readonly Pool[],
    connection = simulatedConnection(),
    images: readonly Image[] = [simulatedImage()],
  ): Promise<void> {
    await this.people.declare({ hosts, pools, images, connections: [connection] }, beginAt);
    // It was declared long before anything fails over.
    await this.store.settled();
  }

  /** Since when a process has led that lives and still decides, on a store that does what it is told. */
  get workingSince(): number | undefined {
    for (const { life, startedAt, leadsSince } of this.open()) {
      const since = life.stopping ? undefined : leadsSince();
      if (since !== undefined) return Math.max(since, startedAt, this.current.troubledAt);
    }
    return undefined;
  }

  now(): number {
    return this.clock.now() + this.aheadMs;
  }

  /** A guest's call: to the process that leads, which is the one that has to know whom it hears. */
  call<T>(host: string, ask: (guest: Guest) => T | Promise<T>, timeoutMs: number): Promise<T | undefined> {
    const process = this.leader() ?? this.open()[0];
    if (process === undefined || (this.isolatedUntil.get(host) ?? 0) > this.clock.now()) return Promise.resolve(undefined);
    const { life, guest } = process;
    return new Promise((resolve) => {
      const hangUp = () => settle(undefined);
      const cancel = this.clock.after(timeoutMs, hangUp);
      const settle = (answer: T | undefined) => {
        cancel();
        life.callers.delete(hangUp);
        resolve(answer);
      };
      life.callers.add(hangUp);
      Promise.resolve(ask(guest)).then(
        (answer) => tell(life, () => settle(answer)),
        () => tell(life, hangUp),
      );
    });
  }

  /** For so long the guests of a host do not reach the service. They reach the forge. */
  isolateGuests(host: string, forMs: number): void {
    this.isolatedUntil.set(host, this.clock.now() + forMs);
  }

  /** One more service process; the others, if any live, are its peers. */
  start(): void {
    this.started += 1;
    const holder = `process-${this.started}`;
    const process = startProcess({
      holder,
      store: this.current,
      flintlock: this.hosts,
      forge: this.forge,
      clock: this.clock,
      now: () => this.now(),
      random: SeededRandom.named(this.seed, holder),
      lease: this.lease,
      decide: this.decide,
      fate: (crossing) => this.decideFate(holder, crossing),
      passed: () => {
        this.activity += 1;
        this.passes += 1;
      },
      carriedOut: (effect, outcome) => this.diary.noteEffect(effect, outcome),
      fault: (error) => {
        // What the store could not do is tried again; everything else a pass must bear.
        if (error.code === "FR-STORE") this.note(`a pass failed: ${error.message}`);
        else this.violate(`a pass failed: ${error.stack}`);
      },
    });
    this.processes = [...this.alive(), process];
    this.note(`${holder} starts`);
  }

  pollSoon(): void {
    for (const { loop } of this.alive()) loop.pollSoon(simulatedConnection().name);
  }

  /** The loop that leads, if any does. */
  leading(): Reconciler | undefined {
    return this.alive().find(({ loop }) => loop.status().leading)?.loop;
  }

  /** What an operator says of a host; `undo` takes everything back that was said of any. */
  operate(host: string, operation: "cordon" | "drain" | "forget", deadlineAt?: number): void {
    const subject = { kind: "host", name: host } as const;
    const deadline = deadlineAt === undefined ? {} : { deadlineAt };
    const value: Operation = { subject, operation, by: "a test", at: this.now(), ...deadline };
    this.note(`${operation} of ${host}`);
    void this.people.write([{ kind: "operation", key: operationKey(value), value, expect: "any" }]);
  }

  undo(): void {
    const writes = this.store.list("operation").map(({ key }) => ({ kind: "operation", key, value: null, expect: "any" }) as const);
    void this.people.write(writes);
  }

  /** People ask for all that was set aside to be tried again. */
  retryLetters(): void {
    const asked = { what: "retry", by: "a test", at: this.now() } as const;
    const writes = this.store
      .list("deadLetter")
      .map(({ key, value }) => ({ kind: "deadLetter", key, value: { ...value, asked }, expect: "any" }) as const);
    void this.people.write(writes);
  }

  /** The leading process is gone from one moment to the next; what it had sent arrives all the same. */
  crash(): void {
    const victim = this.alive().find(({ loop }) => loop.status().leading) ?? this.alive()[0];
    if (victim !== undefined) kill(victim.life);
    this.note("a process is killed");
  }

  /** The leading process gets no turn of its event loop from here on, while everything around it goes on. */
  freeze(): void {
    const leading = this.leader();
    if (leading !== undefined) leading.life.held = [];
    this.note("a process stands still");
  }

  /** What stood still goes on, and learns all at once of what it has missed. */
  thaw(): void {
    for (const process of this.alive()) {
      const { held } = process.life;
      process.life.held = undefined;
      if (held !== undefined) process.startedAt = this.clock.now();
      for (const missed of held ?? []) missed();
    }
    this.note("a process goes on");
  }

  /** The service's clock is set; its timers, like those of any process, count on as before. */
  setClock(byMs: number): void {
    this.aheadMs += byMs;
    this.note(`the clock is set by ${byMs} ms`);
  }

  /** The oldest process ends as it should. */
  async stop(): Promise<void> {
    const [oldest] = this.alive();
    if (oldest === undefined) return;
    oldest.life.stopping = true;
    // When the store does not take what it says last, it is as if it had been killed.
    await oldest.loop.stop().catch((caught: unknown) => this.note(`a process could not stop as it should: ${caught}`));
    kill(oldest.life);
    this.note("a process has stopped");
  }

  /** Everything that the processes wrote down is gone, and they with it; people declare again what they had declared, or some of it. */
  async loseStore(isDeclared?: (kind: string, name: string) => boolean): Promise<void> {
    for (const { life } of this.alive()) kill(life);
    this.note("the store is lost");
    this.lostStoreAt = this.clock.now();
    this.known.clear();
    this.current = this.openStore();
    this.guests.forgetClaims();
    await this.people.declareAgain(isDeclared);
    this.start();
  }

  /**
   * Another copy of the store takes over, without the last commits: at most so many. The processes go on with it, and people
   * declare again what they had declared and is lost.
   */
  failOver(lost: number): void {
    this.note(`the store fails over; up to ${lost} commits are lost`);
    this.current.failOver(lost);
    // What was told to go may not be known to have been, nor whose claim was accepted.
    this.left.clear();
    this.known.clear();
    this.guests.forgetClaims();
    void this.people.declareAgain((kind, name) => this.store.get(kind, name) === undefined);
  }

  /** Goes on until `done` says so after some event, or until a time; the invariants are checked after each event. */
  async run(forMs: number, done: () => boolean = () => false): Promise<void> {
    const until = this.clock.now() + forMs;
    await this.settle();
    let checked = -1;
    while (this.violations.length === 0 && !done() && this.clock.fireNext(until)) {
      await this.settle();
      if (this.activity === checked) continue;
      checked = this.activity;
      this.check(this);
    }
  }

  /** No fault happens from here on. */
  calmDown(): void {
    this.faults.calmDown();
  }

  note(what: string): void {
    this.diary.note(what);
  }

  violate(what: string): void {
    this.violations.push(`${what} (seed ${this.seed}, at ${this.diary.sinceBegin()} ms)`);
  }

  /** Lets everything happen that happens in this moment. */
  private async settle(): Promise<void> {
    let before: number;
    do {
      before = this.activity;
      await immediate();
      await immediate();
    } while (this.activity !== before);
  }

  private decideFate(holder: string, crossing: Crossing): Fate {
    const decided = this.fate(crossing);
    const fate =
      decided === "lives" && this.faults.strikes("killedAtCall") ? this.random.pick<Fate>(["dies-before", "dies-after"]) : decided;
    if (fate === "lives") return fate;
    this.note(`${holder} ${fate} ${crossing.port}.${crossing.call} ${crossing.about}`);
    // Whoever looks after services starts another one soon.
    this.clock.after(this.random.between(100, 5_000), () => this.start());
    return fate;
  }

  private alive(): ServiceProcess[] {
    return this.processes.filter(({ life }) => life.alive);
  }

  /** Those that live and do not stand still. */
  private open(): readonly ServiceProcess[] {
    return this.alive().filter(({ life }) => life.held === undefined);
  }

  private leader(): ServiceProcess | undefined {
    return this.open().find(({ loop }) => loop.status().leading);
  }

  private openStore(): SimulatedStore {
    const store = new SimulatedStore({
      clock: this.clock,
      serviceClock: { now: () => this.now() },
      random: SeededRandom.named(this.seed, `store-${++this.stores}`),
      faults: this.faults,
      violate: (what) => this.violate(what),
    });
    store.watch(() => {
      this.activity += 1;
    });
    return store;
  }

  /** A webhook is told once: when nobody takes it, it is gone. */
  private hook(job: SimulatedJob): void {
    const process = this.open()[0];
    if (process === undefined) return;
    const { store } = process;
    const hint = { connection: simulatedConnection().name, projectId: job.projectId, jobId: job.jobId };
    const key = hintKey(hint);
    const value = { ...hint, firstSeenAt: store.get("hint", key)?.value.firstSeenAt ?? this.now(), hookedAt: this.now() };
    void store
      .commit({ writes: [{ kind: "hint", key, value, expect: "any" }] })
      .catch(() => this.note(`the webhook of job ${job.jobId} is refused`));
  }
}

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
