import type { VmDriver, VmRequest } from "./driver.js";

/** VMs that are nothing but a note that they run: for whoever tests what speaks with a host, and needs no guests. */
export class MemoryDriver implements VmDriver {
  /** What it was asked to spawn, in order. */
  readonly asked: VmRequest[] = [];
  /** The uids of the VMs that have power. */
  readonly running = new Set<string>();
  /** When set, what spawning or removing a VM fails with. */
  fault: string | undefined;
  /** While set, VMs are not spawned before it resolves. */
  hold: Promise<void> | undefined;
  stopped = false;

  async start(): Promise<void> {}

  async create(vm: VmRequest): Promise<void> {
    if (this.hold !== undefined) await this.hold;
    if (this.fault !== undefined) throw new Error(this.fault);
    this.asked.push(vm);
    this.running.add(vm.uid);
  }

  isRunning(uid: string): boolean {
    return this.running.has(uid);
  }

  async powerOff(uid: string): Promise<void> {
    this.running.delete(uid);
  }

  async destroy(uid: string): Promise<void> {
    if (this.fault !== undefined) throw new Error(this.fault);
    this.running.delete(uid);
  }

  async stop(): Promise<void> {
    this.running.clear();
    this.stopped = true;
  }
}
