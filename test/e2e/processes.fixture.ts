import { readdirSync, readFileSync } from "node:fs";
import { markVariable } from "../../reconciler/embedded/host/marked-processes.js";

/** A process that belongs to an embedded microVM. */
export interface MicrovmProcess {
  readonly pid: number;
  /** The microVM's directory. */
  readonly microvm: string;
}

/** The living processes of the embedded microVMs whose hosts have their directories below this one. */
export function microvmProcesses(directory: string): readonly MicrovmProcess[] {
  const mark = `${markVariable}=`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const marked = environmentOf(pid).find((entry) => entry.startsWith(`${mark}${directory}/`));
      return marked === undefined ? [] : [{ pid: Number(pid), microvm: marked.slice(mark.length) }];
    });
}

/** Ends the processes of microVMs whose hosts are gone, and returns those that there were: there should be none. */
export function endMicrovms(directory: string): readonly MicrovmProcess[] {
  const left = microvmProcesses(directory);
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself meanwhile.
    }
  }
  return left;
}

function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    // It has ended meanwhile, or is another user's.
    return [];
  }
}
