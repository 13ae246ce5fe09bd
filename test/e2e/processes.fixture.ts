import { readdirSync, readFileSync } from "node:fs";
import { markVariable } from "../../reconciler/embedded/host/marked-processes.js";

/** The ids of the processes that belong to embedded microVMs of hosts below a directory. */
export function microvmProcesses(directory: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(`\0${markVariable}=${directory}/`))
    .map(Number);
}

function environmentOf(pid: string): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`;
  } catch {
    // It has ended meanwhile, or is another user's.
    return "";
  }
}
