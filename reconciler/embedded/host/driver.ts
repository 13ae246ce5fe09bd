import type { MicroVMSpec } from "../../../proto/gen/types/microvm_pb.js";

/** What a driver is asked to run. */
export interface VmRequest {
  /** The host's id of the microVM: 26 characters A-Z0-9, safe as a file name. */
  readonly uid: string;
  /** As the host keeps it: defaults filled in, the host's own interface first. */
  readonly spec: MicroVMSpec;
  /** What the guest's metadata service would answer, by key, in clear text. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What runs the microVMs of an embedded host. */
export interface VmDriver {
  /** Called once before the host listens: makes ready, and removes what an earlier run has left. */
  start(): Promise<void>;
  /**
   * Starts a VM; resolves when it was spawned, whatever becomes of it then. A VM that ended may be started again and
   * finds its disk as it was. Rejects when it cannot be spawned: the host tries again later.
   */
  create(vm: VmRequest): Promise<void>;
  /** Whether the VM's process lives. */
  isRunning(uid: string): boolean;
  /** Takes the VM's power away, as a crash does; its disk stays. Nothing to do for one that does not run. */
  powerOff(uid: string): Promise<void>;
  /** Ends a VM at once and removes all that belongs to it; nothing to do for one that is not known. */
  destroy(uid: string): Promise<void>;
  /** Ends and removes every VM. */
  stop(): Promise<void>;
}
