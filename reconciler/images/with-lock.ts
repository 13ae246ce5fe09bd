import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { FireRunnerError } from "../model/errors.js";

export interface LockOptions {
  /** Longer than this nobody waits for whoever has it. */
  readonly limitMs: number;
  /** Told once when somebody else has it. */
  readonly onWait: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** What `flock` is to end with when somebody else has the lock. */
const taken = 75;

/**
 * Runs work while nobody else who asks for the same lock file does, on this machine, in whatever process. The lock is the
 * operating system's: it ends with this process, however that ends. Throws `FR-IMAGE-BUILD` when it was not given in time,
 * and `FR-CONFIG` where there is no `flock`.
 */
export async function withLock<T>(file: string, { limitMs, onWait, signal }: LockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  let release = await take(file, 0, signal);
  if (release === undefined) {
    onWait();
    release = await take(file, limitMs, signal);
  }
  if (release === undefined) {
    throw new FireRunnerError("FR-IMAGE-BUILD", `${file} was held by another process for ${Math.round(limitMs / 1000)} s`);
  }
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Holds the lock by a process that ends with its standard input, and so with this process; undefined when it is not to be had. */
function take(file: string, waitMs: number, signal: AbortSignal | undefined): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const args = [
      "--timeout",
      (waitMs / 1000).toFixed(3),
      "--conflict-exit-code",
      String(taken),
      file,
      "sh",
      "-c",
      "echo held && exec cat",
    ];
    // In a group of its own: Ctrl-C is for this process, which gives the lock back when it has tidied up.
    const child = spawn("flock", args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    const ended = new Promise<void>((end) => child.once("close", () => end()));
    let complaints = "";
    child.stderr.on("data", (chunk: Buffer) => {
      complaints += chunk.toString();
    });
    const giveUp = () => {
      child.kill("SIGKILL");
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    child.once("error", (error) => {
      const missing = "code" in error && error.code === "ENOENT";
      const advice = missing ? "flock is not installed; on Debian: apt-get install util-linux" : error.message;
      reject(new FireRunnerError("FR-CONFIG", `locking ${file}: ${advice}`, { cause: error }));
    });
    child.stdout.once("data", () => {
      signal?.removeEventListener("abort", giveUp);
      resolve(() => {
        child.stdin.end();
        return ended;
      });
    });
    child.once("close", (code) => {
      if (code === taken) return resolve(undefined);
      reject(new FireRunnerError("FR-IMAGE-BUILD", `locking ${file}: flock ended with ${code}: ${complaints.trim()}`));
    });
  });
}
