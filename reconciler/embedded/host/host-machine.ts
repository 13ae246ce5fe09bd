import { create } from "@bufbuild/protobuf";
import { type MicroVM, MicroVMSchema, type MicroVMSpec, MicroVMStatus_MicroVMState as State } from "../../../proto/gen/types/microvm_pb.js";
import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { checkSpec } from "./check-spec.js";
import type { DialBoard } from "./dials.js";
import type { VmDriver } from "./driver.js";
import { HostError } from "./host-error.js";
import { keepSpec, shownSpec, tidySpec } from "./kept-spec.js";
import { type Progress, shownStatus } from "./shown-status.js";
import { ulid } from "./ulid.js";
import { faultOfSpec, faultOfVmm, imagesOf } from "./vmm.js";

/** How fast a host works. */
export interface HostTimings {
  /** What building a microVM takes before it is spawned. */
  readonly buildMs: number;
  readonly removeMs: number;
  /** The n-th try in vain is followed by n times this. */
  readonly backoffMs: number;
  /** After so many retries a microVM is FAILED. */
  readonly retries: number;
  /** How often every microVM is looked at without being asked: dead ones are started again then. */
  readonly resyncMs: number;
}

/** A real host's timings, with images that are there already. */
export const usualTimings: HostTimings = { buildMs: 200, removeMs: 100, backoffMs: 20_000, retries: 10, resyncMs: 600_000 };

export interface HostMachineOptions {
  readonly driver: VmDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: HostTimings;
  readonly dials: DialBoard;
  /** Told why building or removing a microVM failed. */
  readonly onFault: (error: FireRunnerError) => void;
}

interface Kept {
  readonly spec: MicroVMSpec & { uid: string };
  version: number;
  state: State;
  retry: number;
  progress: Progress;
  /** Before this time nothing is done with it, not even its removal. */
  notBefore: number;
  /** Takes back the timer of the next try. Without one, as after a restart of the daemon, a resync is the next try. */
  backoff?: () => void;
}

/**
 * The microVMs of one host, and its one worker, which builds and removes them one after the other. Timers and queue live
 * from `start` to `stop`, as long as a daemon does; specifications and VMs outlive it.
 */
export class HostMachine {
  private readonly microvms = new Map<string, Kept>();
  private readonly queue = new Set<string>();
  private readonly pulled = new Set<string>();
  private working: Promise<void> | undefined;
  private readonly pauses = new Map<() => void, () => void>();
  private forgetResync: () => void = () => undefined;
  private stopped = true;

  constructor(private readonly options: HostMachineOptions) {}

  /** The daemon begins, with a look at every microVM. */
  start(): void {
    this.stopped = false;
    this.resync();
  }

  /** Takes a specification, or throws the host's refusal. The microVM is built later. */
  create(asked: MicroVMSpec): MicroVM {
    const tidied = tidySpec(asked);
    checkSpec(tidied);
    const uid = ulid(Math.max(this.now(), 0), this.options.random);
    const kept: Kept = {
      spec: Object.assign(keepSpec(tidied, uid), { uid }),
      version: 1,
      state: State.PENDING,
      retry: 0,
      progress: "nothing",
      notBefore: 0,
    };
    this.microvms.set(uid, kept);
    this.enqueue(uid);
    return show(kept);
  }

  get(uid: string): MicroVM | undefined {
    const kept = this.microvms.get(uid);
    return kept === undefined ? undefined : show(kept);
  }

  /** All of them, in no particular order. */
  list(): MicroVM[] {
    const shown = [...this.microvms.values()].map((kept) => ({ kept, place: this.options.random.next() }));
    return shown.toSorted((a, b) => a.place - b.place).map(({ kept }) => show(kept));
  }

  isRunning(uid: string): boolean {
    return this.options.driver.isRunning(uid);
  }

  /** Marks it for removal; false when it is not known. Repeating is harmless. */
  delete(uid: string): boolean {
    const kept = this.microvms.get(uid);
    if (kept === undefined) return false;
    save(kept, State.DELETING, 0);
    if (!this.options.dials.take("lateDeletes")) this.enqueue(uid);
    return true;
  }

  /** The daemon ends: so do its waits and timers. Settles when the worker rests. The VMs are the driver's to end. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.forgetResync();
    this.queue.clear();
    for (const kept of this.microvms.values()) {
      kept.backoff?.();
      delete kept.backoff;
    }
    for (const [takeBack, resume] of this.pauses) {
      takeBack();
      resume();
    }
    await this.working;
  }

  private enqueue(uid: string): void {
    if (this.stopped || this.microvms.get(uid)?.backoff !== undefined) return;
    this.queue.add(uid);
    this.working ??= this.work();
  }

  private async work(): Promise<void> {
    // The call that asked is answered before its work begins.
    await Promise.resolve();
    for (const uid of this.queue) {
      if (this.stopped) break;
      this.queue.delete(uid);
      const kept = this.microvms.get(uid);
      if (kept !== undefined) await this.reconcile(kept);
    }
    this.working = undefined;
  }

  private async reconcile(kept: Kept): Promise<void> {
    if (kept.notBefore > this.now()) return;
    if (kept.state === State.DELETING) await this.remove(kept);
    else if (kept.state === State.PENDING && kept.retry > this.options.timings.retries) save(kept, State.FAILED, kept.retry);
    else if (kept.state === State.PENDING || (kept.state === State.CREATED && !this.isRunning(kept.spec.uid))) await this.build(kept);
  }

  private async build(kept: Kept): Promise<void> {
    const { dials, driver, timings } = this.options;
    const { uid } = kept.spec;
    await this.pull(kept.spec);
    await this.pause(timings.buildMs);
    if (this.stopped) return;
    try {
      const obstacle = dials.take("failedBuilds") ? "a fault that was dialled in" : faultOfSpec(kept.spec);
      if (obstacle !== undefined) throw new HostError(obstacle);
      const fault = faultOfVmm(kept.spec);
      if (fault === undefined) await driver.create({ uid, spec: kept.spec, metadata: decoded(kept.spec.metadata) });
      else this.tell("running", kept, new HostError(fault));
      if (dials.take("crashes")) await driver.powerOff(uid);
      kept.progress = "built";
    } catch (error) {
      // Callers are not told why; no host tells them.
      this.tell("building", kept, error);
      if (kept.progress === "nothing") kept.progress = "tried";
      if (!isLeaving(kept)) this.backOff(kept, State.PENDING);
      else this.enqueue(uid);
      return;
    }
    if (isLeaving(kept) && !dials.losesDelete()) this.enqueue(uid);
    else save(kept, State.CREATED, 0);
  }

  private async remove(kept: Kept): Promise<void> {
    await this.pause(this.options.timings.removeMs);
    if (this.stopped) return;
    try {
      await this.options.driver.destroy(kept.spec.uid);
      this.microvms.delete(kept.spec.uid);
    } catch (error) {
      this.tell("removing", kept, error);
      this.backOff(kept, State.DELETING);
    }
  }

  private tell(attempted: string, { spec }: Kept, error: unknown): void {
    this.options.onFault(FireRunnerError.from(error, "FR-VM-CREATE-FAILED", `${attempted} microVM "${spec.id}" (${spec.uid})`));
  }

  private backOff(kept: Kept, state: State): void {
    save(kept, state, kept.retry + 1);
    const delayMs = kept.retry * this.options.timings.backoffMs;
    kept.notBefore = this.now() + delayMs;
    if (this.stopped) return;
    kept.backoff = this.options.clock.after(delayMs, () => {
      delete kept.backoff;
      kept.notBefore = 0;
      this.enqueue(kept.spec.uid);
    });
  }

  private resync(): void {
    for (const uid of this.microvms.keys()) this.enqueue(uid);
    this.forgetResync = this.options.clock.after(this.options.timings.resyncMs, () => this.resync());
  }

  /** An image that was had before is there at once. */
  private async pull(spec: MicroVMSpec): Promise<void> {
    for (const image of imagesOf(spec)) {
      if (this.pulled.has(image)) continue;
      await this.pause(this.options.dials.now.pullMs);
      if (this.stopped) return;
      this.pulled.add(image);
    }
  }

  /** The host's own clock, which may be wrong; its timers run with the real one. */
  private now(): number {
    return this.options.clock.now() + this.options.dials.now.clockOffsetMs;
  }

  private pause(delayMs: number): Promise<void> {
    if (delayMs === 0 || this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const takeBack = this.options.clock.after(delayMs, () => {
        this.pauses.delete(takeBack);
        resolve();
      });
      this.pauses.set(takeBack, resolve);
    });
  }
}

/** Asked anew after every wait: a Delete may have come meanwhile. */
function isLeaving(kept: Kept): boolean {
  return kept.state === State.DELETING;
}

function save(kept: Kept, state: State, retry: number): void {
  kept.version += 1;
  kept.state = state;
  kept.retry = retry;
}

function show({ spec, version, state, retry, progress }: Kept): MicroVM {
  return create(MicroVMSchema, { version, spec: shownSpec(spec), status: shownStatus(spec, state, retry, progress) });
}

/** A value that is not base64 reaches the guest as it is. */
function decoded(metadata: MicroVMSpec["metadata"]): Record<string, string> {
  const texts = Object.entries(metadata).map(([key, value]) => {
    const bytes = Buffer.from(value, "base64");
    return [key, bytes.toString("base64") === value ? bytes.toString() : value];
  });
  return Object.fromEntries(texts);
}
