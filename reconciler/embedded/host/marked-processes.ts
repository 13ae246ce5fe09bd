import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** The environment variable by which the processes of a VM are known, wherever they went: it holds the VM's directory. */
export const markVariable = "FIRERUNNER_EMBEDDED_VM";

const rounds = 500;
const roundMs = 10;

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** The value of the mark's variable when the process was started. */
  readonly mark: string | undefined;
}

/**
 * Kills every process whose mark is one of ours, with the rest of its group and its descendants, until none is left.
 * A process without the mark is only touched through a relative that has it, so that a recycled id hits nobody.
 * Rejects when processes do not end within about five seconds. Does nothing where there is no /proc.
 */
export async function killMarked(isOurs: (mark: string) => boolean): Promise<void> {
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

function marked(isOurs: (mark: string) => boolean): readonly number[] {
  const entries = processes().filter(({ pid }) => pid !== process.pid);
  const own = entries.filter(({ mark }) => mark !== undefined && isOurs(mark));
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
  const entry = read(`/proc/${name}/environ`)
    .split("\0")
    .find((text) => text.startsWith(`${markVariable}=`));
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(parent),
    group: Number(group),
    mark: entry?.slice(markVariable.length + 1),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
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
