import { readdirSync, readFileSync } from "node:fs";
import { microvmProcesses } from "../e2e/processes.fixture.js";

/** What a microVM could leave on this machine. */
export interface MachineState {
  readonly processes: readonly unknown[];
  /** Processes that run QEMU on files of the world. */
  readonly qemu: readonly string[];
  /** Network devices: taps and bridges among them. */
  readonly devices: readonly string[];
  readonly mounts: number;
  readonly namespaces: readonly string[];
}

/** Looks at all of it; `directory` is the world's, whose processes are known by it. */
export function machineState(directory: string): MachineState {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return {
    processes: microvmProcesses(directory),
    qemu: processes.filter((pid) => commandOf(pid).includes(`${directory}/`) && commandOf(pid).includes("qemu-system")),
    devices: readdirSync("/sys/class/net"),
    mounts: readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(directory)).length,
    namespaces: namespaces(),
  };
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function namespaces(): readonly string[] {
  try {
    return readdirSync("/run/netns");
  } catch {
    return [];
  }
}
