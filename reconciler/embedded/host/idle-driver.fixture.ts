import type { VmDriver, VmRequest } from "./driver.js";

/** VMs that are nothing but a note that they run. */
export class IdleDriver implements VmDriver {
  /** What Create was asked, in order. */
  readonly asked: VmRequest[] = [];
  readonly running = new Set<string>();
  /** When set, what a create or destroy fails with. */
  fault: string | undefined;
  /** While set, creates do not return. */
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

  async destroy(uid: string): Promise<void> {
    if (this.fault !== undefined) throw new Error(this.fault);
    this.running.delete(uid);
  }

  async stop(): Promise<void> {
    this.running.clear();
    this.stopped = true;
  }
}
