import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The package's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const bin = fileURLToPath(new URL("../../reconciler/cli/bin.ts", import.meta.url));

/** The command line by which `firerunner` runs from its sources. */
export const firerunner = [process.execPath, "--import", loader, bin] as const;

/** A child process whose output is kept. */
export interface Child {
  readonly pid: number;
  /** What it has written so far, standard output and error together. */
  output(): string;
  /** Resolves with its exit code, or the signal that ended it, when it has ended and all its output is read. */
  readonly ended: Promise<number | NodeJS.Signals>;
  signal(name: NodeJS.Signals): void;
  /** Ends it at once if it still runs. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly cwd: string;
  /** The whole environment: nothing of this process's own comes with it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a command without a shell. */
export function startChild(command: readonly string[], { cwd, env }: ChildOptions): Child {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (data: Buffer): void => {
    output += data.toString("utf8");
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = closingOf(child);
  return {
    pid: child.pid ?? 0,
    output: () => output,
    ended,
    signal: (name) => void child.kill(name),
    async stop() {
      child.kill("SIGKILL");
      await ended.catch(() => undefined);
    },
  };
}

const endsWithinMs = 200_000;

/** How a child ended; rejects with its output when it does not end within 200 s. */
export async function endOf(child: Child): Promise<number | NodeJS.Signals> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${endsWithinMs / 1000} s:\n${child.output()}`)), endsWithinMs);
  });
  return Promise.race([child.ended, tooLate]).finally(() => clearTimeout(timer));
}

function closingOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? -1));
  });
}
