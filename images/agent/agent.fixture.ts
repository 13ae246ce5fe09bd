import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** All that an image or the embedded host must bring besides sh and `fr-http`. */
const coreutils = "base64 cat chmod date head mkdir mkfifo mv od rm sha256sum sleep sync tail tr env".split(" ");

export const nonce = "ab".repeat(32);

/** Boot data for a reconciler at `url`. */
export const bootText = (url: string): string => `v=1\nvm=fr-small-1\nnonce=${nonce}\nurl=${url}\nca=`;

/** A directory that is a whole PATH: sh, coreutils, the shims, and what the test adds. */
export interface AgentMachine {
  readonly directory: string;
  readonly stateDir: string;
  /** Puts a shell script on the machine's PATH. */
  addCommand(name: string, script: string): void;
  /** Writes boot data for a reconciler at `url` and gives the file's path. */
  bootFile(url: string): string;
  /** Writes this boot data and gives the file's path. */
  writeBoot(text: string): string;
  /** Text of a file that a command left in the machine's directory; empty when there is none. */
  read(name: string): string;
  start(env: Readonly<Record<string, string>>, ...args: readonly string[]): RunningAgent;
  remove(): void;
}

export interface RunningAgent {
  readonly process: ChildProcess;
  /** Exit code, or the name of the signal. */
  readonly ended: Promise<number | string>;
  stderr(): string;
  /** Kills the agent and everything that it started; what is gone already is no fault. */
  killGroup(): void;
}

/** A fake `fr-runner`: notes argv and environment, lets its token be removed, waits for a file `go` when asked to. */
const fakeRunner = `
here=\${0%/bin/*}
printf '%s\\n' "$@" >"$here/argv"
env >"$here/environ"
while [ "$#" -gt 0 ]; do
  if [ "$1" = --token-file ]; then token_file=$2; fi
  shift
done
cat "$token_file" >"$here/token-seen"
trap 'echo told >"$here/runner-told"; exit 143' TERM
echo "Starting runner for https://gitlab.test ..."
while [ -e "$token_file" ]; do sleep 0.02; done
echo "Checking for jobs... received"
echo started >"$here/runner-started"
while [ -e "$here/hold" ]; do sleep 0.02; done
exit "$(cat "$here/runner-exit" 2>/dev/null || echo 0)"
`;

export function makeAgentMachine(): AgentMachine {
  const directory = mkdtempSync(join(tmpdir(), "fr-agent-"));
  const bin = join(directory, "bin");
  const stateDir = join(directory, "state");
  mkdirSync(bin);
  for (const tool of ["sh", ...coreutils]) symlinkSync(findTool(tool), join(bin, tool));
  const addCommand = (name: string, script: string) => writeFileSync(join(bin, name), `#!${findTool("sh")}\n${script}\n`, { mode: 0o755 });
  addCommand("fr-http", `exec "${process.execPath}" "${fileURLToPath(new URL("fr-http.mjs", import.meta.url))}" "$@"`);
  addCommand("fr-poweroff", `echo off >>"${directory}/poweroff"`);
  addCommand("fr-runner", fakeRunner);
  const writeBoot = (text: string) => {
    const file = join(directory, "boot");
    writeFileSync(file, text);
    return file;
  };
  return {
    directory,
    stateDir,
    addCommand,
    bootFile: (url) => writeBoot(bootText(url)),
    writeBoot,
    read: (name) => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), "utf8") : ""),
    start(env, ...args) {
      const agent = fileURLToPath(new URL("firerunner-agent", import.meta.url));
      const child = spawn(join(bin, "sh"), [agent, ...args], {
        env: {
          PATH: bin,
          FIRERUNNER_STATE_DIR: stateDir,
          FIRERUNNER_BOOT_ID: "boot-1",
          FIRERUNNER_HEARTBEAT_S: "5",
          FIRERUNNER_RETRY_S: "0",
          FIRERUNNER_HTTP_TIMEOUT_S: "10",
          ...env,
        },
        stdio: ["ignore", "ignore", "pipe"],
        detached: true,
      });
      let stderr = "";
      child.stderr?.on("data", (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      const ended = new Promise<number | string>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
      });
      const killGroup = () => {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
        } catch {
          // The group is gone already.
        }
      };
      return { process: child, ended, stderr: () => stderr, killGroup };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The path of a command on the test's own PATH. */
export function findTool(name: string): string {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const candidate = join(folder, name);
    if (folder !== "" && existsSync(candidate)) return candidate;
  }
  throw new Error(`${name} is not on PATH`);
}
