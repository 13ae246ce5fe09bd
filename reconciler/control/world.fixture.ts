import type { Clock } from "../model/clock.js";
import { hintKey, type Operation, operationKey } from "../model/front-door.js";
import type { Pool } from "../model/pool.js";
import type { Plan } from "../plan/draft.js";
import { plan } from "../plan/plan.js";
import { aConnection, type aHost, anImage } from "../plan/snapshot.fixture.js";
import type { Snapshot } from "../plan/snapshot.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Store, Write } from "../store/port.js";
import { type Reconciler, startReconciler } from "./reconciler.js";
import { WorldClock, WorldRandom } from "./world-clock.fixture.js";
import { calm, type Dials, someFaults } from "./world-dials.fixture.js";
import { WorldForge, type WorldJob } from "./world-forge.fixture.js";
import { WorldGuests } from "./world-guests.fixture.js";
import { WorldHosts } from "./world-hosts.fixture.js";

const owner = "sim";
const beginAt = 1_700_000_000_000;
const sealer = { seal: (secret: string) => `sealed:${secret}`, open: (sealed: string) => sealed.slice("sealed:".length) };

/** One service process: its loop, and the ears of its front door. It can be killed at any moment. */
interface ServiceProcess {
  readonly loop: Reconciler;
  /** When it began, or went on after it had stood still. */
  startedAt: number;
  readonly heard: Map<string, number>;
  readonly life: Life;
}

interface Life {
  alive: boolean;
  /** While it stands still: what it would have been told meanwhile, and is told when it goes on. */
  held: (() => void)[] | undefined;
  /** It was told to end: it decides nothing any more, and finishes what it has begun. */
  stopping: boolean;
}

/** The whole world in one thread: the real loop, and everything around it made of one seed. */
export class World {
  readonly clock = new WorldClock(beginAt);
  readonly random: WorldRandom;
  readonly dials: Dials;
  store: Store;
  readonly hosts: WorldHosts;
  readonly forge: WorldForge;
  readonly guests: WorldGuests;
  /** What went wrong, found by the invariants. */
  readonly violations: string[] = [];
  /** The microVMs that were told to go. */
  readonly left = new Set<string>();
  /** What happened, for whoever looks into a seed that failed. */
  readonly log: string[] = [];
  private readonly processes: ServiceProcess[] = [];
  private declared: readonly Write[] = [];
  private stores = 0;
  private activity = 0;
  /** How far the service's clock is ahead of the world's. */
  private aheadMs = 0;
  private readonly isolatedUntil = new Map<string, number>();
  /** How the processes that start from here on decide. */
  decide: (snapshot: Snapshot) => Plan = plan;
  /** How often a loop has decided. */
  passes = 0;

  constructor(
    readonly seed: number,
    /** What must hold after every event. */
    private readonly check: (world: World) => void,
    dials?: Dials,
  ) {
    this.random = new WorldRandom(seed);
    this.dials = dials ?? someFaults(this.random);
    this.store = this.openStore();
    const changed = () => {
      this.activity += 1;
    };
    this.hosts = new WorldHosts(this.clock, this.random, this.dials, {
      booted: (machine) => this.guests.boot(machine),
      deleting: (machine) => {
        this.note(`Delete of ${machine.record.name}`);
        const job = this.guests.running.get(machine.uid);
        const deadline = this.store.get("microvm", machine.record.name)?.value.jobDeadlineAt ?? Number.POSITIVE_INFINITY;
        if (job?.status === "running" && deadline > this.now()) this.violate(`I4: ${machine.record.name} is deleted over job ${job.jobId}`);
        else if (job?.status === "running") this.guests.lost.add(job.jobId);
      },
      destroyed: (machine) => this.guests.die(machine),
      changed,
    });
    this.forge = new WorldForge(this.clock, this.random, this.dials, aConnection(), { hook: (job) => this.hook(job), changed });
    this.guests = new WorldGuests(this.clock, this.random, this.dials, this.forge, this, sealer);
  }

  async declare(hosts: readonly ReturnType<typeof aHost>[], pools: readonly Pool[], connection = aConnection()): Promise<void> {
    const declared = <S extends { readonly name: string }>(kind: string, specs: readonly S[]) =>
      specs.map((spec, order) => ({
        kind,
        key: spec.name,
        value: { spec, generation: 1, order, declaredAt: beginAt },
        expect: "any",
      })) as unknown as Write[];
    this.declared = [
      ...declared("host", hosts),
      ...declared("pool", pools),
      ...declared("image", [anImage()]),
      ...declared("connection", [connection]),
    ];
    await this.store.commit({ writes: this.declared });
  }

  /** Since when a process that lives has been at work, and still decides. */
  get workingSince(): number | undefined {
    return this.open().find(({ life }) => !life.stopping)?.startedAt;
  }

  // The front door, as guests and hooks meet it.

  now(): number {
    return this.clock.now() + this.aheadMs;
  }

  isOpen(host: string): boolean {
    return this.open().length > 0 && (this.isolatedUntil.get(host) ?? 0) <= this.clock.now();
  }

  hear(vm: string): void {
    for (const { heard } of this.open()) heard.set(vm, this.now());
  }

  /** For so long the guests of a host do not reach the service. They reach the forge. */
  isolateGuests(host: string, forMs: number): void {
    this.isolatedUntil.set(host, this.clock.now() + forMs);
  }

  /** One more service process; the others, if any live, are its peers. */
  start(): void {
    const heard = new Map<string, number>();
    const life: Life = { alive: true, held: undefined, stopping: false };
    const random = new WorldRandom(this.seed * 1_000 + this.processes.length);
    const holder = `process-${this.processes.length + 1}`;
    const loop = startReconciler(
      {
        store: severable(this.store, life),
        sealer,
        flintlock: severable(this.hosts, life),
        forge: severable(this.forge, life),
        guest: {
          bootMetadata: ({ name, pool, connection, sizeName }) => ({
            mark: JSON.stringify({ vm: name, pool, connection, size: sizeName }),
          }),
          readMark: ({ mark }) => (mark === undefined ? undefined : JSON.parse(mark)),
          lastHeardAt: (vm) => heard.get(vm),
        },
        clock: {
          now: () => this.now(),
          after: (delayMs, callback) => {
            let isWanted = true;
            const cancel = this.clock.after(delayMs, () => tell(life, () => isWanted && callback()));
            return () => {
              isWanted = false;
              cancel();
            };
          },
        },
        random,
        observer: {
          pass: () => {
            this.activity += 1;
            this.passes += 1;
          },
          effect: (effect, outcome) => this.note(`${effect.kind} ${JSON.stringify(effect)} ${outcome}`),
          fault: (error) => this.violate(`a pass failed: ${error.stack}`),
          foundByPolling: () => {},
          leads: () => {},
        },
      },
      { owner, holder, schedules: { pollMs: 10_000, pollHealthyMs: 60_000, listHostsMs: 10_000, sweepMs: 60_000, settleMs: 5_000 } },
      this.decide,
    );
    this.processes.push({ loop, startedAt: this.clock.now(), heard, life });
    this.note(`${holder} starts`);
  }

  pollSoon(): void {
    for (const { loop } of this.alive()) loop.pollSoon(aConnection().name);
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
    void this.store.commit({ writes: [{ kind: "operation", key: operationKey(value), value, expect: "any" }] });
  }

  undo(): void {
    const writes = this.store.list("operation").map(({ key }) => ({ kind: "operation", key, value: null, expect: "any" }) as const);
    if (writes.length > 0) void this.store.commit({ writes });
  }

  /** The leading process is gone from one moment to the next; what it had sent arrives all the same. */
  crash(): void {
    const victim = this.alive().find(({ loop }) => loop.status().leading) ?? this.alive()[0];
    if (victim !== undefined) victim.life.alive = false;
    this.note("a process is killed");
  }

  /** The leading process gets no turn of its event loop from here on, while everything around it goes on. */
  freeze(): void {
    const leading = this.open().find(({ loop }) => loop.status().leading);
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
    if (oldest !== undefined) oldest.life.stopping = true;
    await oldest?.loop.stop();
    if (oldest !== undefined) oldest.life.alive = false;
    this.note("a process has stopped");
  }

  /** Everything that the processes wrote down is gone, and they with it; people declare again what they had declared, or some of it. */
  async loseStore(isDeclared: (kind: string, name: string) => boolean = () => true): Promise<void> {
    for (const { life } of this.processes) life.alive = false;
    this.note("the store is lost");
    this.store = this.openStore();
    await this.store.commit({ writes: this.declared.filter(({ kind, key }) => isDeclared(kind, key)) });
    this.start();
  }

  /** People declare all of it again. */
  async declareAgain(): Promise<void> {
    await this.store.commit({ writes: this.declared });
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
    Object.assign(this.dials, calm);
  }

  note(what: string): void {
    if (this.log.length < 20_000) this.log.push(`${this.clock.now() - beginAt} ${what}`);
  }

  violate(what: string): void {
    this.violations.push(`${what} (seed ${this.seed}, at ${this.clock.now() - beginAt} ms)`);
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

  private alive(): readonly ServiceProcess[] {
    return this.processes.filter(({ life }) => life.alive);
  }

  /** Those that live and do not stand still. */
  private open(): readonly ServiceProcess[] {
    return this.alive().filter(({ life }) => life.held === undefined);
  }

  private openStore(): Store {
    const clock: Clock = { now: () => this.now(), after: (delayMs, callback) => this.clock.after(delayMs, callback) };
    const store = createMemoryStore({ clock, random: new WorldRandom(this.seed + ++this.stores) });
    store.watch(() => {
      this.activity += 1;
    });
    return store;
  }

  private hook(job: WorldJob): void {
    if (this.open().length === 0) return;
    const hint = { connection: aConnection().name, projectId: job.projectId, jobId: job.jobId };
    const key = hintKey(hint);
    const value = { ...hint, firstSeenAt: this.store.get("hint", key)?.value.firstSeenAt ?? this.now(), hookedAt: this.now() };
    void this.store.commit({ writes: [{ kind: "hint", key, value, expect: "any" }] });
  }
}

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Calls back into a process: at once, when it goes on, or never when it is dead. */
function tell(life: Readonly<Life>, callback: () => void): void {
  if (!life.alive) return;
  if (life.held === undefined) callback();
  else life.held.push(callback);
}

/** A port whose answers, and whose callbacks, reach nobody once the process that holds it is dead. */
function severable<P extends object>(port: P, life: Readonly<Life>): P {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (!life.alive) return new Promise(() => {});
        const muted = args.map((arg) => (typeof arg === "function" ? (...given: unknown[]) => tell(life, () => arg(...given)) : arg));
        const answer: unknown = member.apply(target, muted);
        if (!(answer instanceof Promise)) return answer;
        return new Promise((resolve, reject) => {
          answer.then(
            (value) => tell(life, () => resolve(value)),
            (error) => tell(life, () => reject(error)),
          );
        });
      };
    },
  });
}
