import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Clock } from "../../../model/clock.js";
import { FireRunnerError } from "../../../model/errors.js";

export interface GitProcessesOptions {
  readonly clock: Clock;
  /** Stands in for a home directory, so that nobody's own git settings play a part. */
  readonly home: string;
  /** At most so many at a time; others wait, up to `maxWaiting`. */
  readonly maxProcesses?: number;
  readonly maxWaiting?: number;
}

/** A git process and when it is over. */
export interface GitProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** Settles with the exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Ends the process and everything that it started. */
  kill(): void;
}

/** Runs git, the only program that this GitLab starts. */
export interface GitProcesses {
  /** The output of a git command, or undefined when it failed. Throws `FR-INVALID` when there is more of it than `maxBytes`, `FR-INTERNAL` when git is missing or too slow. */
  read(args: readonly string[], options?: { readonly maxBytes?: number }): Promise<Buffer | undefined>;
  /** Starts a git command when there is a free place. The caller must see to it that it ends. */
  start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<GitProcess>;
  /** Ends every process and settles when all are gone. */
  stop(): Promise<void>;
}

const readTimeoutMs = 30_000;

export function createGitProcesses(options: GitProcessesOptions): GitProcesses {
  const { clock, home, maxProcesses = 16, maxWaiting = 1000 } = options;
  const running = new Set<GitProcess>();
  const waiting: (() => void)[] = [];
  let busy = 0;
  let stopped = false;

  // Only what git needs: neither system, global nor inherited settings may change what it does.
  const baseEnv = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "safe.directory",
    GIT_CONFIG_VALUE_0: "*",
  };

  async function place(): Promise<void> {
    if (stopped) throw new FireRunnerError("FR-INTERNAL", "starting git: not done, because the embedded GitLab stops");
    if (busy < maxProcesses) {
      busy += 1;
      return;
    }
    if (waiting.length >= maxWaiting) throw new FireRunnerError("FR-INTERNAL", `starting git: ${maxWaiting} processes wait already`);
    await new Promise<void>((resolve) => waiting.push(resolve));
    if (stopped) throw new FireRunnerError("FR-INTERNAL", "starting git: not done, because the embedded GitLab stops");
  }

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) busy -= 1;
    else next();
  }

  async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<GitProcess> {
    await place();
    // A group of its own: git starts helpers, which have to end with it.
    const child = spawn("git", [...args], { cwd: home, env: { ...baseEnv, ...env }, detached: true, stdio: "pipe" });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", (error) => reject(FireRunnerError.from(error, "FR-INTERNAL", "starting git")));
      child.once("close", (code) => resolve(code));
    });
    const started: GitProcess = { child, ended, kill: () => killGroup(child.pid) };
    running.add(started);
    // A process that ended early closes its input; its exit code tells more than the broken pipe.
    child.stdin.on("error", () => {});
    ended
      .catch(() => undefined)
      .finally(() => {
        running.delete(started);
        leave();
      });
    return started;
  }

  return {
    start,
    async read(args, { maxBytes = 1_048_576 } = {}) {
      const git = await start(args, {});
      const cancel = clock.after(readTimeoutMs, git.kill);
      git.child.stdin.end();
      git.child.stderr.resume();
      const chunks: Buffer[] = [];
      let bytes = 0;
      git.child.stdout.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) git.kill();
        else chunks.push(chunk);
      });
      try {
        const code = await git.ended;
        if (bytes > maxBytes) throw new FireRunnerError("FR-INVALID", `${args.at(-1) ?? ""}: is larger than ${maxBytes} bytes`);
        if (code === null) throw new FireRunnerError("FR-INTERNAL", `git ${args.join(" ")}: ended by a signal`);
        return code === 0 ? Buffer.concat(chunks) : undefined;
      } finally {
        cancel();
      }
    },
    async stop() {
      stopped = true;
      for (const next of waiting.splice(0)) next();
      const ending = [...running];
      for (const git of ending) git.kill();
      await Promise.allSettled(ending.map((git) => git.ended));
    },
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
