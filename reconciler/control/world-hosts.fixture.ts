import type { CreateRequest, FlintlockPort, HostMicrovm } from "../flintlock/port.js";
import { FireRunnerError } from "../model/errors.js";
import type { Host } from "../model/host.js";
import type { Microvm } from "../model/microvm.js";
import type { WorldClock, WorldRandom } from "./world-clock.fixture.js";
import type { Dials } from "./world-dials.fixture.js";

/** A microVM as it really stands on a simulated host. */
export interface Machine {
  readonly host: string;
  readonly uid: string;
  readonly namespace: string;
  readonly record: Microvm;
  readonly metadata: Readonly<Record<string, string>>;
  state: HostMicrovm["state"];
  retry: number;
  /** Whether its guest has power. */
  on: boolean;
}

const unreachableAfterMs = 10_000;

/** Flintlock hosts with their habits: asynchronous, one worker each, answers and Deletes that get lost, Deletes that are late. */
export class WorldHosts implements FlintlockPort {
  readonly machines = new Map<string, Machine>();
  private readonly workers = new Map<string, Promise<void>>();
  private readonly downUntil = new Map<string, number>();
  private uids = 0;

  constructor(
    private readonly clock: WorldClock,
    private readonly random: WorldRandom,
    private readonly dials: Dials,
    private readonly events: {
      readonly booted: (machine: Machine) => void;
      readonly deleting: (machine: Machine) => void;
      readonly destroyed: (machine: Machine) => void;
      readonly changed: () => void;
    },
  ) {}

  /** The host answers nothing for so long; what runs on it runs on. */
  cutOff(host: string, forMs: number): void {
    this.downUntil.set(host, this.clock.now() + forMs);
  }

  /** The host's machine is gone with all that ran on it; it does not answer until `returnsAt`, and is empty then. */
  destroy(host: string, returnsAt: number): void {
    this.downUntil.set(host, returnsAt);
    for (const machine of [...this.machines.values()].filter((candidate) => candidate.host === host)) {
      this.events.destroyed(machine);
      this.machines.delete(machine.uid);
    }
    this.events.changed();
  }

  async create({ host, microvm, namespace, metadata }: CreateRequest): Promise<HostMicrovm> {
    await this.travel(host);
    if (this.random.chance(this.dials.hostRefuses)) throw new FireRunnerError("FR-FLINTLOCK-REJECTED", "simulated refusal");
    const uid = `UID${String(++this.uids).padStart(6, "0")}`;
    const machine: Machine = {
      host: host.name,
      uid,
      namespace,
      record: microvm,
      metadata,
      state: "pending",
      retry: 0,
      on: false,
    };
    this.machines.set(uid, machine);
    this.events.changed();
    this.work(host.name, () => this.boot(machine));
    if (this.random.chance(this.dials.createAnswerLost)) await this.loseAnswer("Create");
    await this.answer(host);
    return shown(machine);
  }

  async get(host: Host, uid: string): Promise<HostMicrovm | undefined> {
    await this.travel(host);
    const machine = this.machines.get(uid);
    const found = machine === undefined ? undefined : shown(machine);
    await this.answer(host);
    return found;
  }

  async delete(host: Host, uid: string): Promise<"accepted" | "absent"> {
    await this.travel(host);
    const machine = this.machines.get(uid);
    if (machine === undefined) {
      await this.answer(host);
      return "absent";
    }
    this.events.deleting(machine);
    const isLost = machine.state === "pending" && this.random.chance(this.dials.deleteLost);
    machine.state = "deleting";
    if (!isLost) {
      const lateMs = this.random.chance(this.dials.deleteLate) ? 20_000 : 0;
      this.clock.after(lateMs, () => this.work(host.name, () => this.remove(machine)));
    }
    if (this.random.chance(this.dials.deleteAnswerLost)) await this.loseAnswer("Delete");
    await this.answer(host);
    return "accepted";
  }

  async list(host: Host, namespace: string): Promise<readonly HostMicrovm[]> {
    await this.travel(host);
    const found = [...this.machines.values()].filter((machine) => machine.host === host.name && machine.namespace === namespace).map(shown);
    await this.answer(host);
    return found;
  }

  keepOnly(): void {}

  async stop(): Promise<void> {}

  private work(host: string, task: () => Promise<void>): void {
    this.workers.set(host, (this.workers.get(host) ?? Promise.resolve()).then(task));
  }

  private async boot(machine: Machine): Promise<void> {
    await this.clock.sleep(this.random.between(200, 1_500));
    if (!this.machines.has(machine.uid)) return;
    if (this.random.chance(this.dials.createFails)) {
      machine.retry = 11;
      machine.state = "failed";
      return;
    }
    // The finishing Create saves its own copy over a Delete that came meanwhile.
    machine.state = "created";
    machine.on = true;
    this.events.booted(machine);
  }

  private async remove(machine: Machine): Promise<void> {
    await this.clock.sleep(this.random.between(50, 800));
    machine.on = false;
    this.machines.delete(machine.uid);
    this.events.changed();
  }

  private async travel(host: Host): Promise<void> {
    await this.clock.sleep(this.random.between(1, 20));
    if (this.isDown(host.name)) await this.loseAnswer("a call");
    if (this.random.chance(this.dials.hostFails)) {
      throw new FireRunnerError("FR-FLINTLOCK-UNKNOWN", "simulated trouble of the host", { retryable: true });
    }
  }

  private async answer(host: Host): Promise<void> {
    await this.clock.sleep(this.random.between(1, 20));
    if (this.isDown(host.name)) await this.loseAnswer("a call");
  }

  private async loseAnswer(what: string): Promise<never> {
    await this.clock.sleep(unreachableAfterMs);
    throw new FireRunnerError("FR-HOST-UNREACHABLE", `simulated: ${what} was not answered`, { retryable: true });
  }

  private isDown(host: string): boolean {
    return (this.downUntil.get(host) ?? 0) > this.clock.now();
  }
}

function shown(machine: Machine): HostMicrovm {
  const { uid, namespace, record, state, retry, metadata } = machine;
  return { uid, name: record.name, namespace, state, retry, metadata, address: record.address, mac: record.mac };
}
