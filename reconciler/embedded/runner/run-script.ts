import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Clock } from "../../model/clock.js";
import type { JobUser } from "./job-user.js";

export interface ScriptOptions {
  /** The path of bash itself: the job's own PATH must not decide which one runs. */
  readonly bash: string;
  readonly file: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs it; this process's own user when undefined. */
  readonly user: JobUser | undefined;
  readonly onOutput: (chunk: Buffer) => void;
  /** Stops the script. */
  readonly stop: AbortSignal;
  readonly clock: Clock;
  /** How long a stopped script may tidy up before it is killed. */
  readonly killGraceMs: number;
}

export type ScriptEnd =
  | { readonly kind: "exited"; readonly code: number }
  /** It did not run at all. */
  | { readonly kind: "not-started"; readonly why: string };

/** Output of a killed process group is waited for no longer than this: a process may have left the group with it. */
const lastOutputMs = 2_000;

/**
 * Runs a script in a process group of its own. Told to stop, the whole group gets SIGTERM and, when the grace is over,
 * SIGKILL. What the script leaves behind in the group is killed when it ends. Settles when all output has come.
 */
export function runScript(options: ScriptOptions): Promise<ScriptEnd> {
  const { clock, stop } = options;
  if (stop.aborted) return Promise.resolve({ kind: "not-started", why: "the job was stopped before" });
  return new Promise((resolve) => {
    const child = start(options);
    if (typeof child === "string") return resolve({ kind: "not-started", why: child });
    const timers: (() => void)[] = [];
    const signalGroup = (signal: "SIGTERM" | "SIGKILL") => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, signal);
      } catch {
        // The group is empty.
      }
    };
    const kill = () => {
      signalGroup("SIGKILL");
      timers.push(clock.after(lastOutputMs, () => child.stdout.destroy()));
    };
    const terminate = () => {
      signalGroup("SIGTERM");
      timers.push(clock.after(options.killGraceMs, kill));
    };
    const settle = (end: ScriptEnd) => {
      for (const cancel of timers) cancel();
      stop.removeEventListener("abort", terminate);
      // Also those that gave up their output.
      signalGroup("SIGKILL");
      resolve(end);
    };
    stop.addEventListener("abort", terminate, { once: true });
    child.stdout.on("data", options.onOutput);
    child.once("error", (error) => settle({ kind: "not-started", why: error.message }));
    child.once("exit", () => {
      if (!stop.aborted) kill();
    });
    child.once("close", (code, signal) =>
      settle({ kind: "exited", code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
    );
  });
}

/** A user's groups are its own, such as that of an engine which it may use. By its full path: the job chooses PATH. */
function changeTo({ uid, gid }: JobUser): readonly string[] {
  return ["/usr/bin/setpriv", "--reuid", String(uid), "--regid", String(gid), "--init-groups", "--inh-caps=-all", "--"];
}

/** The process, or why there is none: an environment can be too large, for example. */
function start({ bash, file, directory, env, user }: ScriptOptions) {
  const [program = bash, ...args] = user === undefined ? [bash, file] : [...changeTo(user), bash, file];
  try {
    return spawn(program, args, { cwd: directory, env, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  } catch (caught) {
    return caught instanceof Error ? caught.message : String(caught);
  }
}
