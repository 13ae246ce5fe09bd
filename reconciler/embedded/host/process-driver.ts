import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import type { VmDriver, VmRequest } from "./driver.js";
import { type GuestPrograms, installedGuestPrograms } from "./guest-programs.js";
import { kill, killMarked } from "./marked-processes.js";
import { prepareVmDirectory, removeDirectory, vmDirectory, vmEnvironment } from "./vm-directory.js";

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

interface Vm {
  readonly child: ChildProcess;
  alive: boolean;
  /** Resolves when its first process has ended and everything that was left of it too. */
  readonly ended: Promise<void>;
}

/** More than a killed process and its leftovers need, unless the kernel holds them. */
const endLimitMs = 15_000;
const uidForm = /^[0-9A-Z]{26}$/;

/**
 * Runs every VM as a process group of this user in a directory of its own, with the real guest agent as its first
 * process. This is for development and tests: **it isolates nothing**, a job can do whatever this user can.
 */
export function createProcessDriver(options: ProcessDriverOptions): ProcessDriver {
  return new ProcessVms(options, { ...installedGuestPrograms(), ...options.programs });
}

class ProcessVms implements ProcessDriver {
  readonly notice = "The process driver isolates nothing: jobs run as ordinary processes of this user, on this machine.";
  private readonly vms = new Map<string, Vm>();
  private root = "";
  private stopped = false;

  constructor(
    private readonly options: ProcessDriverOptions,
    private readonly programs: GuestPrograms,
  ) {}

  async start(): Promise<void> {
    const { directory } = this.options;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      // By paths processes are known: there must be one spelling.
      this.root = await realpath(directory);
    } catch (error) {
      throw FireRunnerError.from(error, "FR-CONFIG", `making the embedded host's directory ${directory}`);
    }
    await killMarked((path) => path.startsWith(`${this.root}/`) && uidForm.test(path.slice(this.root.length + 1).split("/")[0] ?? ""));
    for (const name of await readdir(this.root)) if (uidForm.test(name)) await removeDirectory(join(this.root, name));
  }

  async create(vm: VmRequest): Promise<void> {
    if (this.stopped || this.root === "") throw new FireRunnerError("FR-INTERNAL", "the process driver was not started or was stopped");
    if (!uidForm.test(vm.uid)) throw new FireRunnerError("FR-INVALID", `uid: "${vm.uid}" is refused: must be 26 characters 0-9A-Z`);
    const earlier = this.vms.get(vm.uid);
    if (earlier?.alive === true) return;
    if (earlier !== undefined) await within(endLimitMs, earlier.ended, `VM ${vm.uid} has not ended yet`);
    const directory = vmDirectory(join(this.root, vm.uid));
    await prepareVmDirectory(directory, vm, this.programs);
    const environment = { ...vmEnvironment(directory, this.options.random.hex(16)), ...this.options.env };
    const group = await spawnGroup(this.programs.agent, directory.root, environment, directory.log);
    this.vms.set(vm.uid, supervise(group, directory.root));
  }

  isRunning(uid: string): boolean {
    return this.vms.get(uid)?.alive ?? false;
  }

  async powerOff(uid: string): Promise<void> {
    const vm = this.vms.get(uid);
    if (vm === undefined) return;
    if (vm.alive && vm.child.pid !== undefined) kill(-vm.child.pid);
    await within(endLimitMs, vm.ended, `VM ${uid} does not end`);
  }

  async destroy(uid: string): Promise<void> {
    if (!uidForm.test(uid)) return;
    const root = join(this.root, uid);
    await this.powerOff(uid);
    // Again, and loudly this time, should what was left not have ended.
    await killMarked(inside(root));
    await removeDirectory(root);
    this.vms.delete(uid);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const outcomes = await Promise.allSettled([...this.vms.keys()].map((uid) => this.destroy(uid)));
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw FireRunnerError.from(failure.reason, "FR-INTERNAL", "removing the VMs of the process driver");
  }
}

async function within(limitMs: number, awaited: Promise<void>, otherwise: string): Promise<void> {
  const over = new AbortController();
  const limit = pause(limitMs, undefined, { signal: over.signal }).then(() => Promise.reject(new Error(otherwise)));
  try {
    await Promise.race([awaited, limit]);
  } finally {
    over.abort();
    // The limit that was taken back says so.
    limit.catch(() => undefined);
  }
}

/** Whether a path is a VM's directory or lies in it. */
function inside(root: string): (path: string) => boolean {
  return (path) => path === root || path.startsWith(`${root}/`);
}

interface Group {
  readonly child: ChildProcess;
  readonly exit: Promise<void>;
}

/** A VM whose first process ends is off: nothing of it may go on. */
function supervise({ child, exit }: Group, root: string): Vm {
  const vm: Vm = {
    child,
    alive: true,
    ended: exit.then(async () => {
      vm.alive = false;
      // What cannot be ended is tried again, and reported, when the VM is destroyed.
      await killMarked(inside(root)).catch(() => undefined);
    }),
  };
  return vm;
}

/** Starts a command as the leader of a group of its own; its output goes to `log`. Rejects when it cannot be started. */
async function spawnGroup(
  [command = "", ...args]: readonly string[],
  cwd: string,
  env: Record<string, string>,
  log: string,
): Promise<Group> {
  const file = await open(log, "a", 0o600);
  try {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", file.fd, file.fd] });
    const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await once(child, "spawn");
    return { child, exit };
  } finally {
    await file.close();
  }
}
