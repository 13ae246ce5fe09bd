import { readdirSync, readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** An environment variable that holds nothing but the VM's directory. */
export const markVariable = "FIRERUNNER_EMBEDDED_VM";

/**
 * By these the processes of a VM are known, wherever they went: each holds paths in the VM's directory. A runner that
 * gives its job an environment of its own hands over some of them all the same, because a job needs them.
 */
const tellingVariables = new Set([markVariable, "HOME", "TMPDIR", "PATH"]);

const rounds = 500;
const roundMs = 10;

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** The paths in its telling variables, as they were when it was started. */
  readonly paths: readonly string[];
}

/**
 * Kills every process whose environment tells of a VM of ours, with the rest of its group and its descendants, until none
 * is left. A process that tells nothing is only touched through a relative that does, so that a recycled id hits nobody.
 * Rejects when processes do not end within about five seconds. Does nothing where there is no /proc.
 */
export async function killMarked(isOurs: (path: string) => boolean): Promise<void> {
  let found = marked(isOurs);
  for (let round = 0; found.length > 0 && round < rounds; round += 1) {
    for (const pid of found) kill(pid);
    await pause(roundMs);
    found = marked(isOurs);
  }
  if (found.length > 0) throw new Error(`processes ${found.join(", ")} do not end`);
}

/** Sends SIGKILL to a process or, below zero, to a group; what is gone already, or not ours to end, is no error. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

function marked(isOurs: (path: string) => boolean): readonly number[] {
  const entries = processes().filter(({ pid }) => pid !== process.pid);
  const own = entries.filter(({ paths }) => paths.some(isOurs));
  // One that was started in our own group must not take us with it.
  const ownGroup = readEntry("self")?.group;
  const groups = new Set(own.map(({ group }) => group).filter((group) => group !== ownGroup));
  const found = new Set(own.map(({ pid }) => pid));
  for (const { pid, group } of entries) if (groups.has(group)) found.add(pid);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of entries) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

function processes(): readonly ProcessEntry[] {
  return list("/proc").flatMap((name) => {
    const entry = /^\d+$/.test(name) ? readEntry(name) : undefined;
    return entry === undefined ? [] : [entry];
  });
}

/** Undefined for a process that is gone, is only waited for by its parent, or is another user's. */
function readEntry(name: string): ProcessEntry | undefined {
  const stat = read(`/proc/${name}/stat`);
  // The name of the program stands in brackets and may hold anything.
  const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === undefined || state === "Z" || state === "X" || parent === undefined || group === undefined) return undefined;
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), group: Number(group), paths: tellingPaths(name) };
}

function tellingPaths(name: string): readonly string[] {
  return read(`/proc/${name}/environ`)
    .split("\0")
    .flatMap((entry) => {
      const equals = entry.indexOf("=");
      return tellingVariables.has(entry.slice(0, equals)) ? entry.slice(equals + 1).split(delimiter) : [];
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
