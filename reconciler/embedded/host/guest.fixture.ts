import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory for one test with what it needs of files. */
export interface TestFolder {
  readonly path: string;
  /** Text of a file in it; empty when there is none. */
  read(name: string): string;
  /** Writes a shell script and gives the command that runs it. */
  script(name: string, text: string): readonly string[];
  remove(): void;
}

export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), "fr-host-"));
  return {
    path,
    read: (name) => (existsSync(join(path, name)) ? readFileSync(join(path, name), "utf8") : ""),
    script(name, text) {
      writeFileSync(join(path, name), text);
      return ["sh", join(path, name)];
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Whether a process lives; one that only waits for its parent's notice does not. */
export function isAlive(pid: number): boolean {
  if (!existsSync("/proc/self")) {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch {
    return false;
  }
}
