import type { CreateRequest, FlintlockPort, HostMicrovm } from "../flintlock/port.js";
import { FireRunnerError } from "../model/errors.js";
import type { Host } from "../model/host.js";
import type { Microvm } from "../model/microvm.js";
import type { FaultBoard } from "./dials.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

/** A microVM as it really stands on a simulated host. */
export interface Machine {
  readonly host: string;
  readonly uid: string;
  readonly namespace: string;
  readonly record: Microvm;
  readonly metadata: Readonly<Record<string, string>>;
  /** When the Create that made it was sent, and when it arrived. */
  readonly sentAt: number;
  readonly madeAt: number;
  state: HostMicrovm["state"];
  retry: number;
  /** Whether its guest has power. */
  on: boolean;
}

/** What may be asked of a host. */
export type HostCall = "create" | "get" | "delete" | "list";

const unreachableAfterMs = 10_000;
const pullMs = 30_000;

/** Flintlock hosts with their habits: asynchronous, one worker each, answers and Deletes that get lost, Deletes that are late. */
export class SimulatedHosts implements FlintlockPort {
  readonly machines = new Map<string, Machine>();
  /** How many microVMs were made and are gone. */
  lifecycles = 0;
  private readonly workers = new Map<string, Promise<void>>();
  private readonly downUntil = new Map<string, number>();
  private readonly wedgedUntil = new Map<string, number>();
  private readonly failing = new Map<HostCall, number>();
  private uids = 0;

  constructor(
    private readonly clock: VirtualClock,
    private readonly random: SeededRandom,
    private readonly faults: FaultBoard,
    private readonly events: {
      readonly made: (machine: Machine) => void;
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

  /** Every List of the host fails for so long, as after a name with `/` in it; other calls are answered. */
  wedge(host: string, forMs: number): void {
    this.wedgedUntil.set(host, this.clock.now() + forMs);
  }

  /** Every call of one kind fails for so long, at all hosts, while the others are answered. */
  failCall(call: HostCall, forMs: number): void {
    this.failing.set(call, this.clock.now() + forMs);
  }

  /** The host's machine is gone with all that ran on it; it does not answer until `returnsAt`, and is empty then. */
  destroy(host: string, returnsAt: number): void {
    this.downUntil.set(host, returnsAt);
    for (const machine of [...this.machines.values()].filter((candidate) => candidate.host === host)) {
      this.events.destroyed(machine);
      this.machines.delete(machine.uid);
      this.lifecycles += 1;
    }
    this.events.changed();
  }

  async create({ host, microvm, namespace, metadata }: CreateRequest): Promise<HostMicrovm> {
    const sentAt = this.clock.now();
    await this.travel(host, "create");
    if (this.faults.strikes("hostRefuses")) throw new FireRunnerError("FR-FLINTLOCK-REJECTED", "simulated refusal");
    const uid = `UID${String(++this.uids).padStart(6, "0")}`;
    const machine: Machine = {
      host: host.name,
      uid,
      namespace,
      record: microvm,
      metadata,
      sentAt,
      madeAt: this.clock.now(),
      state: "pending",
      retry: 0,
      on: false,
    };
    this.machines.set(uid, machine);
    this.events.made(machine);
    this.events.changed();
    this.work(host.name, () => this.boot(machine));
    if (this.faults.strikes("createAnswerLost")) await this.loseAnswer("Create");
    await this.answer(host);
    return shown(machine);
  }

  async get(host: Host, uid: string): Promise<HostMicrovm | undefined> {
    await this.travel(host, "get");
    const machine = this.machines.get(uid);
    const found = machine === undefined ? undefined : shown(machine);
    await this.answer(host);
    return found;
  }

  async delete(host: Host, uid: string): Promise<"accepted" | "absent"> {
    await this.travel(host, "delete");
    const machine = this.machines.get(uid);
    if (machine === undefined) {
      await this.answer(host);
      return "absent";
    }
    this.events.deleting(machine);
    const isLost = machine.state === "pending" && this.faults.strikes("deleteLost");
    machine.state = "deleting";
    if (!isLost) {
      const lateMs = this.faults.strikes("deleteLate") ? 20_000 : 0;
      this.clock.after(lateMs, () => this.work(host.name, () => this.remove(machine)));
    }
    if (this.faults.strikes("deleteAnswerLost")) await this.loseAnswer("Delete");
    await this.answer(host);
    return "accepted";
  }

  async list(host: Host, namespace: string): Promise<readonly HostMicrovm[]> {
    await this.travel(host, "list");
    if (this.faults.strikes("listFails") || this.isWedged(host.name)) {
      throw new FireRunnerError("FR-FLINTLOCK-UNKNOWN", "simulated: the list met what is being removed", { retryable: true });
    }
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
    if (this.faults.strikes("pullSlow")) await this.clock.sleep(pullMs);
    await this.clock.sleep(this.random.between(200, 1_500));
    if (!this.machines.has(machine.uid)) return;
    if (this.faults.strikes("createFails")) {
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
    if (this.machines.delete(machine.uid)) this.lifecycles += 1;
    this.events.changed();
  }

  private async travel(host: Host, call: HostCall): Promise<void> {
    await this.clock.sleep(this.faults.strikes("hostSlow") ? this.random.between(1_000, 8_000) : this.random.between(1, 20));
    if (this.isDown(host.name)) await this.loseAnswer("a call");
    if (this.faults.strikes("hostFails") || this.clock.now() < (this.failing.get(call) ?? 0)) {
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

  private isWedged(host: string): boolean {
    return (this.wedgedUntil.get(host) ?? 0) > this.clock.now();
  }

  private isDown(host: string): boolean {
    return (this.downUntil.get(host) ?? 0) > this.clock.now();
  }
}

function shown(machine: Machine): HostMicrovm {
  const { uid, namespace, record, state, retry, metadata } = machine;
  return { uid, name: record.name, namespace, state, retry, metadata, address: record.address, mac: record.mac };
}
