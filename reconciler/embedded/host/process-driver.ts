import type { Random } from "../../model/clock.js";
import type { VmDriver, VmRequest } from "./driver.js";
import { type GuestPrograms, installedGuestPrograms } from "./guest-programs.js";
import { prepareVmDirectory, vmDirectory, vmEnvironment } from "./vm-directory.js";
import { VmGroups } from "./vm-groups.js";

export interface ProcessDriverOptions {
  /** The host's own directory; made when missing. Only one host at a time may use it. */
  readonly directory: string;
  readonly random: Random;
  /** Other programs than the installed ones, for tests. */
  readonly programs?: Partial<GuestPrograms>;
  /** Settings of the guest agent beyond the usual ones, for example `FIRERUNNER_HEARTBEAT_S`. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessDriver extends VmDriver {
  /** What whoever starts it should be told. */
  readonly notice: string;
}

/** What whoever starts such a driver should be told. */
export const processNotice = "The process driver isolates nothing: jobs run as ordinary processes of this user, on this machine.";

/**
 * Runs every VM as a process group of this user in a directory of its own, with the real guest agent as its first
 * process. This is for development and tests: **it isolates nothing**, a job can do whatever this user can.
 */
export function createProcessDriver(options: ProcessDriverOptions): ProcessDriver {
  return new ProcessVms(options, { ...installedGuestPrograms(), ...options.programs });
}

class ProcessVms implements ProcessDriver {
  readonly notice = processNotice;
  private readonly groups: VmGroups;

  constructor(
    private readonly options: ProcessDriverOptions,
    private readonly programs: GuestPrograms,
  ) {
    this.groups = new VmGroups(options.directory);
  }

  start(): Promise<void> {
    return this.groups.start();
  }

  create(vm: VmRequest): Promise<void> {
    return this.groups.run(vm.uid, async (root) => {
      const directory = vmDirectory(root);
      await prepareVmDirectory(directory, vm, this.programs);
      const env = { ...vmEnvironment(directory, this.options.random.hex(16)), ...this.options.env };
      return { command: this.programs.agent, env, log: directory.log };
    });
  }

  isRunning(uid: string): boolean {
    return this.groups.isRunning(uid);
  }

  powerOff(uid: string): Promise<void> {
    return this.groups.powerOff(uid);
  }

  destroy(uid: string): Promise<void> {
    return this.groups.destroy(uid);
  }

  stop(): Promise<void> {
    return this.groups.stop();
  }
}
