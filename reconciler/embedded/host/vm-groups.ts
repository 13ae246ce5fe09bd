import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { FireRunnerError } from "../../model/errors.js";
import { ConsoleFile, keepConsole, keptConsoles } from "./console-file.js";
import type { VmDriver, VmRequest } from "./driver.js";
import { kill, killMarked, markVariable } from "./marked-processes.js";
import { removeDirectory } from "./vm-directory.js";

/** What a VM's first process is started as. */
export interface GroupCommand {
  readonly command: readonly string[];
  /** Its whole environment, but for the mark. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes its output, of which only the end is kept when it is long. */
  readonly log: string;
}

interface Vm {
  readonly child: ChildProcess;
  readonly log: string;
  /** What it is called by whoever asked for it. */
  readonly name: string;
  alive: boolean;
  /** Resolves when its first process has ended and everything that was left of it too. */
  readonly ended: Promise<void>;
}

/** More than a killed process and its leftovers need, unless the kernel holds them. */
const endLimitMs = 15_000;
/** Output of a VM that is off is waited for no longer: somebody who is not ours may hold the other end. */
const lastOutputMs = 2_000;
const uidForm = /^[0-9A-Z]{26}$/;

/** Makes a VM's directory ready for a boot, and says what is to be started in it. An earlier boot's files may be there. */
export type PrepareVm = (vm: VmRequest, directory: string) => Promise<GroupCommand>;

/**
 * The VMs of a host as process groups, each with a directory of its own. What an earlier run left is removed at the start;
 * a VM whose first process ends is off, and nothing of it goes on.
 */
export class VmGroups implements VmDriver {
  private readonly vms = new Map<string, Vm>();
  private root = "";
  private stopped = false;

  /** `directory` is made when missing; only one host at a time may use it. */
  constructor(
    private readonly directory: string,
    private readonly prepare: PrepareVm,
  ) {}

  async start(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      // By paths processes are known: there must be one spelling.
      this.root = await realpath(this.directory);
    } catch (error) {
      throw FireRunnerError.from(error, "FR-CONFIG", `making the embedded host's directory ${this.directory}`);
    }
    await killMarked((path) => path.startsWith(`${this.root}/`) && uidForm.test(path.slice(this.root.length + 1).split("/")[0] ?? ""));
    for (const name of await readdir(this.root)) if (uidForm.test(name)) await removeDirectory(join(this.root, name));
  }

  /** Where a VM's files lie, once started; `FR-INVALID` for a uid that is none, `FR-INTERNAL` outside of start and stop. */
  private directoryOf(uid: string): string {
    if (this.stopped || this.root === "") throw new FireRunnerError("FR-INTERNAL", "the driver was not started or was stopped");
    if (!uidForm.test(uid)) throw new FireRunnerError("FR-INVALID", `uid: "${uid}" is refused: must be 26 characters 0-9A-Z`);
    return join(this.root, uid);
  }

  async create(vm: VmRequest): Promise<void> {
    const { uid } = vm;
    const directory = this.directoryOf(uid);
    const earlier = this.vms.get(uid);
    if (earlier?.alive === true) return;
    if (earlier !== undefined) await within(endLimitMs, earlier.ended, `VM ${uid} has not ended yet`);
    const command = await this.prepare(vm, directory);
    this.vms.set(uid, supervise(await spawnGroup(command, directory), directory, { log: command.log, name: vm.spec.id }));
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
    const vm = this.vms.get(uid);
    // Whoever asks later why it failed finds the end of its console.
    if (vm !== undefined) await keepConsole(vm.log, this.root, vm.name).catch(() => undefined);
    await removeDirectory(root);
    this.vms.delete(uid);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const outcomes = await Promise.allSettled([...this.vms.keys()].map((uid) => this.destroy(uid)));
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    await rm(keptConsoles(this.root), { recursive: true, force: true });
    if (failure !== undefined) throw FireRunnerError.from(failure.reason, "FR-INTERNAL", "removing the VMs of the driver");
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
  /** Resolves when all of its output is in the file. */
  readonly closed: Promise<void>;
}

/** A VM whose first process ends is off: nothing of it may go on. */
function supervise({ child, exit, closed }: Group, root: string, of: Pick<Vm, "log" | "name">): Vm {
  const vm: Vm = {
    ...of,
    child,
    alive: true,
    ended: exit.then(async () => {
      vm.alive = false;
      // What cannot be ended is tried again, and reported, when the VM is destroyed.
      await killMarked(inside(root)).catch(() => undefined);
      await within(lastOutputMs, closed, "").catch(() => {
        for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      });
    }),
  };
  return vm;
}

/** Starts a command as the leader of a group of its own; its output goes to `log`. Rejects when it cannot be started. */
async function spawnGroup({ command: [program = "", ...args], env, log }: GroupCommand, cwd: string): Promise<Group> {
  const file = new ConsoleFile(log);
  try {
    const marked = { ...env, [markVariable]: cwd };
    const child = spawn(program, args, { cwd, env: marked, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => file.write(chunk));
    const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const closed = new Promise<void>((resolve) => {
      child.once("close", () => {
        file.close();
        resolve();
      });
    });
    await once(child, "spawn");
    return { child, exit, closed };
  } catch (error) {
    file.close();
    throw error;
  }
}
