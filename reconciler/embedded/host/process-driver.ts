import { join } from "node:path";
import type { Random } from "../../model/clock.js";
import type { VmDriver } from "./driver.js";
import { type GuestPrograms, installedGuestPrograms } from "./guest-programs.js";
import { prepareVmDirectory, vmDirectory, vmEnvironment } from "./vm-directory.js";
import { type PrepareVm, VmGroups } from "./vm-groups.js";

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

/** Where the output of a VM's agent lies, with `{uid}` for the VM's id. */
export const processConsole = (directory: string): string => vmDirectory(join(directory, "{uid}")).log;

/** What whoever starts such a driver should be told. */
export const processNotice = "The process driver isolates nothing: jobs run as ordinary processes of this user, on this machine.";

/**
 * Runs every VM as a process group of this user in a directory of its own, with the real guest agent as its first
 * process. This is for development and tests: **it isolates nothing**, a job can do whatever this user can.
 */
export function createProcessDriver(options: ProcessDriverOptions): ProcessDriver {
  const programs = { ...installedGuestPrograms(), ...options.programs };
  const prepare: PrepareVm = async (vm, root) => {
    const directory = vmDirectory(root);
    await prepareVmDirectory(directory, vm, programs);
    const env = { ...vmEnvironment(directory, options.random.hex(16)), ...options.env };
    return { command: programs.agent, env, log: directory.log };
  };
  return Object.assign(new VmGroups(options.directory, prepare), { notice: processNotice });
}
