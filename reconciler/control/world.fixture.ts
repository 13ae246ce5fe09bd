import { hintKey } from "../model/front-door.js";
import type { Pool } from "../model/pool.js";
import { aConnection, type aHost, anImage } from "../plan/snapshot.fixture.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Store, Write } from "../store/port.js";
import { type Reconciler, startReconciler } from "./reconciler.js";
import { WorldClock, WorldRandom } from "./world-clock.fixture.js";
import { calm, type Dials, someFaults } from "./world-dials.fixture.js";
import { WorldForge, type WorldJob } from "./world-forge.fixture.js";
import { WorldGuests } from "./world-guests.fixture.js";
import { WorldHosts } from "./world-hosts.fixture.js";
import { checkAlways, checkAtEnd } from "./world-invariants.fixture.js";

export const owner = "sim";
const beginAt = 1_700_000_000_000;
const sealer = { seal: (secret: string) => `sealed:${secret}`, open: (sealed: string) => sealed.slice("sealed:".length) };

/** One service process: its loop, and the ears of its front door. It can be killed at any moment. */
interface ServiceProcess {
  readonly loop: Reconciler;
  readonly startedAt: number;
  readonly heard: Map<string, number>;
  readonly life: Life;
}

interface Life {
  alive: boolean;
}

/** The whole world in one thread: the real loop, and everything around it made of one seed. */
export class World {
  readonly clock = new WorldClock(beginAt);
  readonly random: WorldRandom;
  readonly dials: Dials;
  readonly store: Store;
  readonly hosts: WorldHosts;
  readonly forge: WorldForge;
  readonly guests: WorldGuests;
  /** What went wrong, found by the invariants. */
  readonly violations: string[] = [];
  /** The microVMs that were told to go. */
  readonly left = new Set<string>();
  /** What happened, for whoever looks into a seed that failed. */
  readonly log: string[] = [];
  private process: ServiceProcess | undefined;
  private processes = 0;
  private activity = 0;

  constructor(
    readonly seed: number,
    dials?: Dials,
  ) {
    this.random = new WorldRandom(seed);
    this.dials = dials ?? someFaults(this.random);
    this.store = createMemoryStore({ clock: this.clock, random: this.random });
    this.store.watch(() => {
      this.activity += 1;
    });
    const changed = () => {
      this.activity += 1;
    };
    this.hosts = new WorldHosts(this.clock, this.random, this.dials, {
      booted: (machine) => this.guests.boot(machine),
      deleting: (machine) => {
        this.note(`Delete of ${machine.record.name}`);
        const job = this.guests.running.get(machine.uid);
        const deadline = this.store.get("microvm", machine.record.name)?.value.jobDeadlineAt ?? 0;
        if (job?.status === "running" && deadline > this.clock.now())
          this.violate(`I4: ${machine.record.name} is deleted over job ${job.jobId}`);
      },
      changed,
    });
    this.forge = new WorldForge(this.clock, this.random, this.dials, aConnection(), { hook: (job) => this.hook(job), changed });
    const door = {
      store: this.store,
      isOpen: () => this.process?.life.alive === true,
      hear: (vm: string) => this.process?.heard.set(vm, this.clock.now()),
    };
    this.guests = new WorldGuests(this.clock, this.random, this.dials, this.forge, door, sealer);
  }

  async declare(hosts: readonly ReturnType<typeof aHost>[], pools: readonly Pool[]): Promise<void> {
    const declared = <S extends { readonly name: string }>(kind: string, specs: readonly S[]) =>
      specs.map((spec, order) => ({
        kind,
        key: spec.name,
        value: { spec, generation: 1, order, declaredAt: beginAt },
        expect: "any",
      })) as unknown as Write[];
    await this.store.commit({
      writes: [
        ...declared("host", hosts),
        ...declared("pool", pools),
        ...declared("image", [anImage()]),
        ...declared("connection", [aConnection()]),
      ],
    });
  }

  get startedAt(): number | undefined {
    return this.process?.startedAt;
  }

  start(): void {
    const heard = new Map<string, number>();
    const life: Life = { alive: true };
    const random = new WorldRandom(this.seed * 1_000 + ++this.processes);
    const holder = `process-${this.processes}`;
    const loop = startReconciler(
      {
        store: severable(this.store, life),
        sealer,
        flintlock: severable(this.hosts, life),
        forge: severable(this.forge, life),
        guest: {
          bootMetadata: (vm) => ({ mark: JSON.stringify({ vm: vm.name, pool: vm.pool, connection: vm.connection }) }),
          readMark: ({ mark }) => (mark === undefined ? undefined : JSON.parse(mark)),
          lastHeardAt: (vm) => heard.get(vm),
        },
        clock: {
          now: () => this.clock.now(),
          after: (delayMs, callback) => this.clock.after(delayMs, () => (life.alive ? callback() : undefined)),
        },
        random,
        observer: {
          pass: () => {
            this.activity += 1;
          },
          effect: (effect, outcome) => this.note(`${effect.kind} ${JSON.stringify(effect)} ${outcome}`),
          fault: (error) => this.violate(`a pass failed: ${error.stack}`),
        },
      },
      { owner, holder, schedules: { pollMs: 10_000, listHostsMs: 10_000, sweepMs: 60_000, settleMs: 5_000 } },
    );
    this.process = { loop, startedAt: this.clock.now(), heard, life };
    this.note(`${holder} starts`);
  }

  /** The process is gone from one moment to the next; what it had sent arrives all the same. */
  crash(): void {
    if (this.process !== undefined) this.process.life.alive = false;
    this.note("the process is killed");
  }

  async stop(): Promise<void> {
    const stopping = this.process?.loop.stop();
    await this.settle();
    for (let n = 0; n < 2_000 && this.clock.fireNext(this.clock.now() + 60_000); n++) await this.settle();
    await stopping;
  }

  /** Goes on until `done` says so after some event, or until a time; the invariants are checked after each event. */
  async run(forMs: number, done: () => boolean = () => false): Promise<void> {
    const until = this.clock.now() + forMs;
    await this.settle();
    while (this.violations.length === 0 && !done() && this.clock.fireNext(until)) {
      await this.settle();
      checkAlways(this);
    }
  }

  /** No fault happens from here on. */
  calmDown(): void {
    Object.assign(this.dials, calm);
  }

  checkAtEnd(): void {
    checkAtEnd(this);
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

  private hook(job: WorldJob): void {
    if (this.process?.life.alive !== true) return;
    const hint = { connection: aConnection().name, projectId: job.projectId, jobId: job.jobId };
    const key = hintKey(hint);
    const value = this.store.get("hint", key)?.value ?? { ...hint, firstSeenAt: this.clock.now() };
    void this.store.commit({ writes: [{ kind: "hint", key, value, expect: "any" }] });
  }
}

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A port whose answers, and whose callbacks, reach nobody once the process that holds it is dead. */
function severable<P extends object>(port: P, life: Readonly<Life>): P {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (!life.alive) return new Promise(() => {});
        const muted = args.map((arg) =>
          typeof arg === "function" ? (...given: unknown[]) => (life.alive ? arg(...given) : undefined) : arg,
        );
        const answer: unknown = member.apply(target, muted);
        if (!(answer instanceof Promise)) return answer;
        return new Promise((resolve, reject) => {
          answer.then(
            (value) => life.alive && resolve(value),
            (error) => life.alive && reject(error),
          );
        });
      };
    },
  });
}
