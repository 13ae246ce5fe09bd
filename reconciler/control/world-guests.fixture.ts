import { orderFor } from "../guest/order.js";
import type { GuestReport } from "../model/front-door.js";
import { isRunning } from "../model/job.js";
import { isLeaving } from "../model/microvm.js";
import type { Sealer, Store } from "../store/port.js";
import type { WorldClock, WorldRandom } from "./world-clock.fixture.js";
import type { Dials } from "./world-dials.fixture.js";
import type { WorldForge, WorldJob } from "./world-forge.fixture.js";
import type { Machine } from "./world-hosts.fixture.js";

const heartbeatMs = 10_000;
const askMs = 400;
/** How long a runner waits for its job before it ends. */
const runnerWaitMs = 120_000;

/** What guests meet when they call: the front door of a service process, when there is one. */
export interface FrontDoor {
  readonly store: Store;
  /** Its own time, which goes into what it writes down. */
  now(): number;
  /** Whether it answers, seen from a host. */
  isOpen(host: string): boolean;
  hear(vm: string): void;
}

/** The guests' side of the world: each boots, claims, waits or runs one job, and ends. */
export class WorldGuests {
  /** What each machine, by its record's name, ever ran. */
  readonly ran = new Map<string, number[]>();
  /** The job that a machine runs right now, by its host's id. */
  readonly running = new Map<string, WorldJob>();
  /** Jobs whose guest died over them. */
  readonly lost = new Set<number>();
  private boots = 0;

  constructor(
    private readonly clock: WorldClock,
    private readonly random: WorldRandom,
    private readonly dials: Dials,
    private readonly forge: WorldForge,
    private readonly door: FrontDoor,
    private readonly sealer: Sealer,
  ) {}

  boot(machine: Machine): void {
    void this.live(machine);
  }

  private async live(machine: Machine): Promise<void> {
    if (this.random.chance(this.dials.guestNeverBoots)) return;
    const bootId = `boot-${++this.boots}`;
    await this.clock.sleep(this.random.between(300, 2_000));
    if (!(await this.claim(machine, bootId))) {
      machine.on = false;
      return;
    }
    if (this.random.chance(this.dials.guestDies)) this.clock.after(this.random.between(0, 30_000), () => this.die(machine));
    if (this.random.chance(this.dials.guestRestarts)) this.clock.after(this.random.between(0, 30_000), () => this.restart(machine));
    this.beat(machine);
    const token = await this.await(machine);
    const ended = token === undefined || (await this.run(machine, token));
    if (!ended || !machine.on) return;
    if (token !== undefined)
      await this.report(machine, (report) => ({ ...report, done: { at: this.door.now(), exitCode: 0, reason: "finished" } }));
    machine.on = false;
  }

  /** Claims until it is answered; false when it was refused. */
  private async claim(machine: Machine, bootId: string): Promise<boolean> {
    const { name } = machine.record;
    for (;;) {
      await this.clock.sleep(this.random.between(5, 50));
      if (!machine.on) return false;
      if (this.door.isOpen(machine.host)) {
        const { store } = this.door;
        const vm = store.get("microvm", name)?.value;
        const known = store.get("guestReport", name);
        if (vm === undefined || vm.phase === "allocated" || isLeaving(vm)) return false;
        if (known !== undefined && known.value.bootId !== bootId) {
          const fault = { at: this.door.now(), code: "FR-GUEST-RESTARTED" } as const;
          await store.commit({ writes: [{ kind: "guestReport", key: name, value: { ...known.value, fault }, expect: known.revision }] });
          return false;
        }
        const value: GuestReport = { vm: name, bootId, secretSha256: "a".repeat(64), claimedAt: this.door.now() };
        const { outcome } = await store.commit({
          writes: [{ kind: "guestReport", key: name, value, expect: known?.revision ?? "absent" }],
        });
        if (outcome === "committed") {
          this.door.hear(name);
          return true;
        }
      }
      await this.clock.sleep(1_000);
    }
  }

  /** Waits for its runner's token; undefined when it is to stop. */
  private async await(machine: Machine): Promise<string | undefined> {
    const { name } = machine.record;
    for (;;) {
      await this.clock.sleep(askMs);
      if (!machine.on) return undefined;
      if (!this.door.isOpen(machine.host)) continue;
      const { store } = this.door;
      const vm = store.get("microvm", name)?.value;
      const report = store.get("guestReport", name)?.value;
      const identity = store.get("identity", name)?.value;
      if (vm === undefined || report === undefined) return undefined;
      const order = orderFor(vm, report, identity);
      if (order === "stop") return undefined;
      if (order === "run" && identity?.sealedToken !== undefined) return this.sealer.open(identity.sealedToken, `identity/${name}`);
    }
  }

  /** Runs one job, or none when none comes; false when it died over it. */
  private async run(machine: Machine, token: string): Promise<boolean> {
    await this.clock.sleep(this.random.between(50, 300));
    await this.report(machine, (report) => ({ ...report, startedAt: report.startedAt ?? this.door.now() }));
    const until = this.clock.now() + (this.random.chance(this.dials.runnerGivesUp) ? 1_000 : runnerWaitMs);
    while (machine.on && this.clock.now() < until) {
      const job = this.forge.request(token);
      if (job !== undefined) {
        if (this.random.chance(this.dials.tokenStolen)) this.clock.after(2_000, () => this.steal(machine, token));
        return this.work(machine, job);
      }
      // A guest whose microVM was told to go hears it with its next heartbeat.
      const vm = this.door.store.get("microvm", machine.record.name)?.value;
      if (this.door.isOpen(machine.host) && (vm === undefined || isLeaving(vm))) return true;
      await this.clock.sleep(1_000);
    }
    return machine.on;
  }

  private async work(machine: Machine, job: WorldJob): Promise<boolean> {
    const { name } = machine.record;
    this.ran.set(name, [...(this.ran.get(name) ?? []), job.jobId]);
    this.running.set(machine.uid, job);
    const endsAt = this.clock.now() + job.durationMs;
    while (machine.on && this.clock.now() < endsAt && job.status === "running") {
      this.forge.hear(job);
      // Jobs that take hours need no look at every second.
      await this.clock.sleep(Math.min(Math.max(1_000, job.durationMs / 600), endsAt - this.clock.now()));
    }
    this.running.delete(machine.uid);
    if (!machine.on) return false;
    this.forge.finish(job, job.outcome);
    await this.clock.sleep(this.random.between(20, 200));
    return true;
  }

  private steal(machine: Machine, token: string): void {
    const job = this.forge.request(token);
    if (job !== undefined) void this.work(machine, job);
  }

  private async report(machine: Machine, change: (report: GuestReport) => GuestReport): Promise<void> {
    for (let tries = 0; tries < 60 && machine.on; tries++) {
      if (this.door.isOpen(machine.host)) {
        const stored = this.door.store.get("guestReport", machine.record.name);
        if (stored === undefined) return;
        const value = change(stored.value);
        const write = { kind: "guestReport", key: stored.key, value, expect: stored.revision } as const;
        if ((await this.door.store.commit({ writes: [write] })).outcome === "committed") return;
      }
      await this.clock.sleep(1_000);
    }
  }

  private beat(machine: Machine): void {
    this.clock.after(heartbeatMs, () => {
      if (!machine.on) return;
      if (this.door.isOpen(machine.host)) {
        this.door.hear(machine.record.name);
        this.endWhenTold(machine);
      }
      this.beat(machine);
    });
  }

  /** A guest whose time is up ends its runner, which tells the forge at once. */
  private endWhenTold(machine: Machine): void {
    const job = this.running.get(machine.uid);
    if (job === undefined || this.door.store.get("microvm", machine.record.name)?.value.endAskedAt === undefined) return;
    if (isRunning(job.status)) this.lost.add(job.jobId);
    this.forge.finish(job, "failed");
  }

  /** The machine loses its power, whatever it does. */
  die(machine: Machine): void {
    machine.on = false;
    const job = this.running.get(machine.uid);
    if (job !== undefined) this.lost.add(job.jobId);
    this.running.delete(machine.uid);
  }

  private restart(machine: Machine): void {
    if (!machine.on) return;
    this.die(machine);
    this.clock.after(2_000, () => {
      const again = { ...machine, on: true };
      void this.claim(again, `boot-${++this.boots}`);
    });
  }
}
