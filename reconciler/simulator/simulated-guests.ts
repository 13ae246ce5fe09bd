import { createHash } from "node:crypto";
import { bootKey } from "../guest/boot-data.js";
import type { Guest, GuestState } from "../guest/guest.js";
import type { Session } from "../guest/sessions.js";
import { isRunning } from "../model/job.js";
import type { FaultBoard } from "./dials.js";
import type { SimulatedJob } from "./forge-workings.js";
import { SeededRandom } from "./seeded-random.js";
import type { SimulatedForge } from "./simulated-forge.js";
import type { Machine } from "./simulated-hosts.js";
import type { VirtualClock } from "./virtual-clock.js";

const heartbeatMs = 10_000;
const longPollMs = 25_000;
const callTimeoutMs = 10_000;
const claimLimitMs = 300_000;
const traceMs = 3_000;
/** How long a runner waits for its job before it ends. */
const runnerWaitMs = 120_000;

/** What guests meet when they call: a service process, when one answers. */
export interface FrontDoor {
  /** Undefined when nobody answered in time, or with an error; seen from a host. */
  call<T>(host: string, ask: (guest: Guest) => T | Promise<T>, timeoutMs: number): Promise<T | undefined>;
}

/** One boot of a machine. */
interface Boot {
  readonly machine: Machine;
  readonly bootId: string;
  readonly secret: string;
  readonly random: SeededRandom;
  state: GuestState;
  /** It was told to end, and does when it runs no job. */
  stopAsked: boolean;
}

/** The guests' side of the world: each boots, claims, waits or runs one job, and ends, as the agent does. */
export class SimulatedGuests {
  /** What each machine, by its record's name, ever ran. */
  readonly ran = new Map<string, number[]>();
  /** The job that a machine runs right now, by its host's id. */
  readonly running = new Map<string, SimulatedJob>();
  /** Jobs whose guest died over them. */
  readonly lost = new Set<number>();
  /** Whose claim of a microVM was accepted, by its secret. */
  private readonly bound = new Map<string, string>();
  private boots = 0;

  constructor(
    private readonly clock: VirtualClock,
    private readonly seed: number,
    private readonly faults: FaultBoard,
    private readonly forge: SimulatedForge,
    private readonly door: FrontDoor,
    private readonly violate: (what: string) => void,
  ) {}

  boot(machine: Machine): void {
    void this.live(machine);
  }

  /** What was accepted before may be accepted again: the service has lost what it knew. */
  forgetClaims(): void {
    this.bound.clear();
  }

  /** The machine loses its power, whatever it does. */
  die(machine: Machine): void {
    machine.on = false;
    const job = this.running.get(machine.uid);
    if (job !== undefined) this.lost.add(job.jobId);
    this.running.delete(machine.uid);
  }

  private async live(machine: Machine): Promise<void> {
    const boot = this.newBoot(machine);
    const { random } = boot;
    if (this.faults.strikes("guestNeverBoots")) return;
    await this.clock.sleep(random.between(300, 2_000));
    if (!(await this.claim(boot))) {
      machine.on = false;
      return;
    }
    if (this.faults.strikes("guestDies")) this.clock.after(random.between(0, 30_000), () => this.die(machine));
    if (this.faults.strikes("guestRestarts")) this.clock.after(random.between(0, 30_000), () => this.restart(machine));
    if (this.faults.strikes("nonceStolen")) this.clock.after(random.between(0, 20_000), () => void this.stealNonce(boot));
    this.beat(boot);
    const token = await this.await(boot);
    const ended = token === undefined || (await this.run(boot, token));
    if (!ended || !machine.on) return;
    if (token !== undefined) await this.done(boot);
    machine.on = false;
  }

  private newBoot(machine: Machine): Boot {
    const random = SeededRandom.named(this.seed, `${machine.uid}/${++this.boots}`);
    return { machine, bootId: `boot-${this.boots}`, secret: random.hex(32), random, state: "parked", stopAsked: false };
  }

  /** Claims until it is answered; false when it was refused. */
  private async claim(boot: Boot): Promise<boolean> {
    const until = this.clock.now() + claimLimitMs;
    while (this.clock.now() < until) {
      await this.clock.sleep(boot.random.between(5, 50));
      if (!boot.machine.on) return false;
      const outcome = await this.claimOnce(boot);
      if (outcome !== undefined) return outcome === "accepted";
      await this.clock.sleep(1_000);
    }
    return false;
  }

  private async claimOnce(boot: Boot): Promise<"accepted" | "refused" | undefined> {
    const { name } = boot.machine.record;
    const nonce = /^nonce=(.*)$/m.exec(boot.machine.metadata[bootKey] ?? "")?.[1] ?? "";
    const secretSha256 = createHash("sha256").update(boot.secret).digest("hex");
    const result = await this.ask(boot, (guest) => guest.claim({ vm: name, nonce, bootId: boot.bootId, secretSha256, address: "" }));
    if (result?.outcome === "accepted") {
      const other = this.bound.get(name);
      if (other !== undefined && other !== secretSha256) this.violate(`the nonce of ${name} was accepted with a second secret`);
      this.bound.set(name, secretSha256);
    }
    return result?.outcome;
  }

  /** Waits for its runner's token; undefined when it is to stop. */
  private async await(boot: Boot): Promise<string | undefined> {
    const { machine } = boot;
    while (machine.on) {
      const order = await this.asSession(boot, (guest, session) => guest.next(session, longPollMs), longPollMs + callTimeoutMs);
      if (!machine.on || order === "stop") return undefined;
      if (order === "unknown" && !(await this.claim(boot))) return undefined;
      if (order === "run") {
        const config = await this.asSession(boot, async (guest, session) => {
          await guest.settled();
          return guest.config(session);
        });
        if (!machine.on || (config !== undefined && config !== "unknown" && config.outcome === "over")) return undefined;
        if (config !== undefined && config !== "unknown" && config.outcome === "given") return /token = "(.*)"/.exec(config.toml)?.[1];
      }
      if (order !== "park") await this.clock.sleep(boot.random.between(200, 1_000));
    }
    return undefined;
  }

  /** Runs one job, or none when none comes; false when it died over it. */
  private async run(boot: Boot, token: string): Promise<boolean> {
    const { machine } = boot;
    await this.clock.sleep(boot.random.between(50, 300));
    boot.state = "started";
    void this.sayAlive(boot);
    const until = this.clock.now() + (this.faults.strikes("runnerGivesUp") ? 1_000 : runnerWaitMs);
    while (machine.on && this.clock.now() < until && !boot.stopAsked) {
      const job = this.forge.request(token);
      if (job !== undefined) {
        if (this.faults.strikes("tokenStolen")) this.clock.after(2_000, () => this.steal(machine, token));
        boot.state = "running";
        return this.work(machine, job, boot.random);
      }
      await this.clock.sleep(1_000);
    }
    return machine.on;
  }

  private async work(machine: Machine, job: SimulatedJob, random: SeededRandom): Promise<boolean> {
    const { name } = machine.record;
    const jobs = [...(this.ran.get(name) ?? []), job.jobId];
    this.ran.set(name, jobs);
    if (jobs.length > 1) this.violate(`I9: ${name} ran the jobs ${jobs.join(", ")}`);
    this.running.set(machine.uid, job);
    const endsAt = this.clock.now() + job.durationMs;
    while (machine.on && this.clock.now() < endsAt && job.status === "running") {
      this.forge.hear(job);
      // Jobs that take hours need no look at every second.
      await this.clock.sleep(Math.min(Math.max(traceMs, job.durationMs / 600), endsAt - this.clock.now()));
    }
    this.running.delete(machine.uid);
    if (!machine.on) return false;
    this.forge.finish(job, job.outcome);
    await this.clock.sleep(random.between(20, 200));
    return true;
  }

  private steal(machine: Machine, token: string): void {
    const job = this.forge.request(token);
    if (job !== undefined) void this.work(machine, job, new SeededRandom(this.seed));
  }

  private async done(boot: Boot): Promise<void> {
    for (let tries = 0; tries < 60 && boot.machine.on; tries++) {
      const end = { exitCode: 0, reason: "finished" } as const;
      if ((await this.asSession(boot, (guest, session) => guest.done(session, end))) !== undefined) return;
      await this.clock.sleep(1_000);
    }
  }

  private beat(boot: Boot): void {
    this.clock.after(heartbeatMs, () => {
      if (!boot.machine.on) return;
      void this.sayAlive(boot);
      this.beat(boot);
    });
  }

  private async sayAlive(boot: Boot): Promise<void> {
    const told = await this.asSession(boot, (guest, session) => guest.heartbeat(session, boot.state));
    if (!boot.machine.on) return;
    if (told === "stop") boot.stopAsked = true;
    if (told !== "terminate") return;
    // A guest whose time is up ends its runner, which tells the forge at once.
    boot.stopAsked = true;
    const job = this.running.get(boot.machine.uid);
    if (job === undefined) return;
    if (isRunning(job.status)) this.lost.add(job.jobId);
    this.forge.finish(job, "failed");
  }

  private restart(machine: Machine): void {
    if (!machine.on) return;
    this.die(machine);
    this.clock.after(2_000, () => void this.claim(this.newBoot({ ...machine, on: true })));
  }

  /** Somebody else on the network claims with what the machine's metadata says. */
  private async stealNonce(boot: Boot): Promise<void> {
    if (!boot.machine.on) return;
    await this.claimOnce({ ...this.newBoot(boot.machine), bootId: boot.bootId });
  }

  /** What a session is answered; "unknown" when the service does not know it. */
  private asSession<T>(
    boot: Boot,
    ask: (guest: Guest, session: Session) => T | Promise<T>,
    timeoutMs = callTimeoutMs,
  ): Promise<T | "unknown" | undefined> {
    const { name } = boot.machine.record;
    return this.ask(
      boot,
      async (guest) => {
        const session = await guest.recognise(name, boot.secret);
        return session === undefined ? "unknown" : ask(guest, session);
      },
      timeoutMs,
    );
  }

  private async ask<T>(
    { machine, random }: Boot,
    call: (guest: Guest) => T | Promise<T>,
    timeoutMs = callTimeoutMs,
  ): Promise<T | undefined> {
    const isLost = this.faults.strikes("guestCallLost");
    const arrives = !isLost || random.chance(0.5);
    const answer = arrives ? await this.door.call(machine.host, call, timeoutMs) : undefined;
    if (!isLost) return answer;
    await this.clock.sleep(callTimeoutMs);
    return undefined;
  }
}
