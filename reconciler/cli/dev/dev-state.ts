import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { FireRunnerError } from "../../model/errors.js";

/** How other commands reach a development world that runs: `dev push`, `get`, `logs`. Its file is readable by its owner alone. */
const devStateSchema = z.object({
  pid: z.int().positive(),
  gitlab: z.object({ url: z.string(), token: z.string() }),
  webhook: z.object({ url: z.string(), secret: z.string() }),
  admin: z.object({ url: z.string(), token: z.string() }),
  /** Its hosts as the service knows them, and where consoles lie: of a microVM by `{uid}`, of one that is gone by `{name}`. */
  hosts: z.array(z.object({ endpoint: z.string(), console: z.string(), keptConsole: z.string() })),
});
export type DevState = z.output<typeof devStateSchema>;

/** The option by which the `dev` commands find the same world. */
export const stateDirArg = {
  "state-dir": {
    type: "string",
    valueHint: "path",
    description: "Where the world keeps its files (default: firerunner/dev in the user's state directory)",
  },
} as const;

/** Where the development world keeps its files: `firerunner/dev` in the user's state directory (XDG base directories). */
export function devDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return join(env.XDG_STATE_HOME || join(homedir(), ".local", "state"), "firerunner", "dev");
}

/** Takes the directory for this process; `FR-CONFIG` when another world runs in it. */
export function takeDevDirectory(directory: string): void {
  const running = readState(directory);
  if (running !== undefined && isAlive(running.pid)) {
    throw new FireRunnerError(
      "FR-CONFIG",
      `a development world runs already in ${directory} (process ${running.pid}); stop it first, or give another --state-dir`,
    );
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const part of ["world.json", "service", "gitlab", "secrets"]) rmSync(join(directory, part), { recursive: true, force: true });
}

export function writeDevState(directory: string, state: DevState): void {
  writeFileSync(join(directory, "world.json"), `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
}

export function removeDevState(directory: string): void {
  rmSync(join(directory, "world.json"), { force: true });
}

/** The world that runs in the directory; `FR-CONFIG` says how to start one when there is none. */
export function findDevState(directory: string): DevState {
  const state = runningDevState(directory);
  if (state !== undefined) return state;
  throw new FireRunnerError("FR-CONFIG", `no development world runs in ${directory}; start one with \`firerunner dev\``);
}

/** The world that runs in the directory; undefined when there is none. */
export function runningDevState(directory: string): DevState | undefined {
  const state = readState(directory);
  return state !== undefined && isAlive(state.pid) ? state : undefined;
}

function readState(directory: string): DevState | undefined {
  const file = join(directory, "world.json");
  if (!existsSync(file)) return undefined;
  try {
    return devStateSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    // A file that was cut short by a crash says nothing about a world that runs.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch (caught) {
    return caught instanceof Error && "code" in caught && caught.code === "EPERM";
  }
}
