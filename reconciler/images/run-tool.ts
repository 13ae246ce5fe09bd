import { spawn } from "node:child_process";
import { constants } from "node:os";
import { FireRunnerError } from "../model/errors.js";

/** The programs that build and carry images, and the package of Debian that brings each. */
const packages = {
  mmdebstrap: "mmdebstrap",
  umoci: "umoci",
  skopeo: "skopeo",
  tar: "tar",
  make: "build-essential bc bison flex libelf-dev kmod cpio",
  gcc: "build-essential",
  strip: "binutils",
  mke2fs: "e2fsprogs",
  "qemu-img": "qemu-utils",
} as const;
export type Tool = keyof typeof packages;

export interface ToolOptions {
  readonly cwd?: string;
  /** Beyond the process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this the program is ended, and the step has failed. */
  readonly limitMs: number;
}

/** As much of a program's last words as an error repeats. */
const lastWords = 2_000;

/**
 * Runs a program and gives what it wrote to standard output. Throws `FR-CONFIG` when the program is not there, naming its
 * package, and `FR-IMAGE-BUILD` with its last words when it fails or takes too long.
 */
export function runTool(tool: Tool, args: readonly string[], { cwd, env, limitMs }: ToolOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...env, LC_ALL: "C.UTF-8", TZ: "UTC" },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const output: Buffer[] = [];
    let complaints = "";
    let isLate = false;
    // The whole group: a build has many children.
    const limit = setTimeout(() => {
      isLate = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, limitMs);
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      complaints = (complaints + chunk.toString()).slice(-lastWords);
    });
    child.once("error", (error) => {
      clearTimeout(limit);
      const missing = "code" in error && error.code === "ENOENT";
      const advice = missing ? `${tool} is not installed; on Debian: apt-get install ${packages[tool]}` : error.message;
      reject(new FireRunnerError("FR-CONFIG", `running ${tool}: ${advice}`, { cause: error }));
    });
    child.once("close", (code, signal) => {
      clearTimeout(limit);
      if (code === 0) return resolve(Buffer.concat(output));
      const end = isLate
        ? `did not end within ${Math.round(limitMs / 1000)} s`
        : `ended with ${code ?? 128 + constants.signals[signal ?? "SIGKILL"]}`;
      const words = complaints.trim() || Buffer.concat(output).toString().slice(-lastWords).trim();
      reject(new FireRunnerError("FR-IMAGE-BUILD", `${tool} ${args[0] ?? ""} ${end}: ${words}`));
    });
  });
}
