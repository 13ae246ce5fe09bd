import { spawn } from "node:child_process";
import { constants } from "node:os";
import { FireRunnerError } from "../model/errors.js";

/** The programs that build and carry images, and the package of Debian that brings each. */
const packages = {
  mmdebstrap: "mmdebstrap",
  umoci: "umoci",
  buildah: "buildah",
  skopeo: "skopeo",
  tar: "tar",
  make: "build-essential bc bison flex libelf-dev kmod cpio",
  gcc: "build-essential",
  "aarch64-linux-gnu-gcc-12": "gcc-12-aarch64-linux-gnu",
  strip: "binutils",
  mke2fs: "e2fsprogs",
  "qemu-img": "qemu-utils",
  unshare: "util-linux",
  cp: "coreutils",
} as const;
export type Tool = keyof typeof packages;

export interface ToolOptions {
  readonly cwd?: string;
  /** Beyond the process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this the program is ended, and the step has failed. */
  readonly limitMs: number;
  /** Ends the program before that. */
  readonly signal?: AbortSignal | undefined;
}

/** As much of a program's last words as an error repeats. */
const lastWords = 2_000;
/** What setpriv ends with when there is no such program. */
const notFound = 127;

/**
 * Runs a program and gives what it wrote to standard output. Throws `FR-CONFIG` when the program is not there, naming its
 * package, and `FR-IMAGE-BUILD` with its last words when it fails or takes too long.
 */
export function runTool(tool: Tool, args: readonly string[], { cwd, env, limitMs, signal: asked }: ToolOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (asked?.aborted) return reject(asked.reason);
    // What a build has under way ends with this process, however that ends.
    const child = spawn("setpriv", ["--pdeathsig", "HUP", "--", tool, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...env, LC_ALL: "C.UTF-8", TZ: "UTC" },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const output: Buffer[] = [];
    let complaints = "";
    let isLate = false;
    // The whole group: a build has many children.
    const end = () => killGroup(child.pid);
    const limit = setTimeout(() => {
      isLate = true;
      end();
    }, limitMs);
    asked?.addEventListener("abort", end, { once: true });
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      complaints = (complaints + chunk.toString()).slice(-lastWords);
    });
    child.once("error", (error) => {
      clearTimeout(limit);
      reject(new FireRunnerError("FR-CONFIG", `running ${tool} by setpriv (Debian's util-linux): ${error.message}`, { cause: error }));
    });
    child.once("close", (code, signal) => {
      clearTimeout(limit);
      asked?.removeEventListener("abort", end);
      if (code === 0) return resolve(Buffer.concat(output));
      if (asked?.aborted) return reject(asked.reason);
      const missing = code === notFound ? /^(?:setpriv|unshare): failed to execute ([\w-]+)/.exec(complaints)?.[1] : undefined;
      if (missing !== undefined) return reject(new FireRunnerError("FR-CONFIG", `running ${missing}: ${adviceFor(missing)}`));
      const ending = isLate
        ? `did not end within ${Math.round(limitMs / 1000)} s`
        : `ended with ${code ?? 128 + constants.signals[signal ?? "SIGKILL"]}`;
      const words = complaints.trim() || Buffer.concat(output).toString().slice(-lastWords).trim();
      reject(new FireRunnerError("FR-IMAGE-BUILD", `${tool} ${args[0] ?? ""} ${ending}: ${words}`));
    });
  });
}

function adviceFor(program: string): string {
  const found = Object.entries(packages).find(([name]) => name === program);
  return found === undefined ? "it is not installed" : `it is not installed; on Debian: apt-get install ${found[1]}`;
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
