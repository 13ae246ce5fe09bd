import { readdirSync, readFileSync } from "node:fs";

/** A process and all that descend from it. */
function processTree(pid: number): readonly number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(name) }));
  const below = (parent: number): readonly number[] =>
    parents.filter((process) => process.parent === parent).flatMap((process) => [process.pid, ...below(process.pid)]);
  return [pid, ...below(pid)];
}

/** Kills them all at once, as a crash of the machine would. */
export function killTree(pid: number): void {
  for (const each of processTree(pid)) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It has ended by itself meanwhile.
    }
  }
}

function parentOf(pid: string): number | undefined {
  try {
    // The name of the command, in brackets, may itself hold spaces and brackets.
    const [, parent] = /\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return Number(parent);
  } catch {
    return undefined;
  }
}
