import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BootFiles } from "./machines.js";

export interface BootOf {
  /** The disk that the machine begins with; it is not written to. */
  readonly disk: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly args: (files: BootFiles) => readonly string[];
}

const qemu = "qemu-system-x86_64";
const limitMs = 10 * 60_000;

/**
 * Boots a machine and gives `isOver` its QEMU to look at until that is true; then ends it. Resolves to the moment of
 * `performance.now()` at which QEMU was started. Throws with the console's last words when it takes ten minutes, or when QEMU
 * ends without that being what was waited for.
 */
export async function bootOnce({ disk, metadata, args }: BootOf, isOver: (machine: ChildProcess) => boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "firerunner-boot-"));
  try {
    const files = { disk: join(folder, "root.qcow2"), metadata: join(folder, "metadata.json") };
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", files.disk]);
    writeFileSync(files.metadata, JSON.stringify({ latest: metadata }));
    const given = args(files);
    const startedAt = performance.now();
    // It ends with this process, however that ends.
    const machine = spawn("setpriv", ["--pdeathsig", "KILL", "--", qemu, ...given], { stdio: ["ignore", "pipe", "pipe"] });
    const exited = once(machine, "exit");
    let said = "";
    for (const stream of [machine.stdout, machine.stderr]) stream.on("data", (chunk: Buffer) => (said = `${said}${chunk}`.slice(-4_000)));
    try {
      while (!isOver(machine)) {
        if (machine.exitCode !== null) throw new Error(`QEMU ended with ${machine.exitCode}: ${said}`);
        if (performance.now() > startedAt + limitMs) throw new Error(`not within ${limitMs / 60_000} minutes: ${said}`);
        await pause(5);
      }
      return startedAt;
    } finally {
      machine.kill("SIGKILL");
      await exited;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The processor time that a machine has taken so far, in ms: what a boot costs, however busy the processors are with other things. */
export function processorMs({ pid }: ChildProcess): number {
  // After the name, which is in brackets, user's and system's time are the 12th and 13th field, in hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
