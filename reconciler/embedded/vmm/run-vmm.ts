import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { FireRunnerError } from "../../model/errors.js";
import { chooseAccelerator, findKvm } from "./accelerator.js";
import type { VmmArguments } from "./arguments.js";
import { readVmmConfig, type VmmConfig } from "./config.js";
import { qemuArguments } from "./qemu-command.js";

export interface VmmProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly once: (signal: "SIGINT" | "SIGTERM" | "SIGHUP", listener: () => void) => unknown;
  /** The command, with its first arguments, that answers a request to the metadata service; it is given FILE and version. */
  readonly metadataCommand: readonly string[];
}

const qemu = "qemu-system-x86_64";

/**
 * Runs a microVM by QEMU until it ends: what Firecracker's own binary does for a host that has KVM. Standard output is the
 * console. Resolves to the exit code, 0 when the guest ended itself. The QEMU process never outlives this one. Throws
 * `FR-INVALID` or `FR-CONFIG` when it cannot begin.
 */
export async function runVmm(given: VmmArguments, { env, once: onSignal, metadataCommand }: VmmProcess): Promise<number> {
  const beganAt = Math.round(Date.now() - process.uptime() * 1000);
  const config = readVmmConfig(given.configFile);
  const path = env.PATH ?? "";
  const program = findProgram(qemu, path);
  if (program === undefined) {
    throw new FireRunnerError("FR-CONFIG", `${qemu} is not on PATH (${path}); on Debian: apt-get install qemu-system-x86`);
  }
  checkDevices(config);
  const metadataFile = given.metadataFile === undefined ? undefined : resolve(given.metadataFile);
  const version = config["mmds-config"]?.version ?? "V1";
  const args = qemuArguments({
    config,
    beganAt,
    accelerator: chooseAccelerator(env.FIRERUNNER_ACCELERATOR, findKvm),
    formats: new Map(await Promise.all(config.drives.map(async (drive) => [drive.drive_id, await formatOf(drive.path_on_host)] as const))),
    ...(metadataFile === undefined ? {} : { metadataCommand: [...metadataCommand, metadataFile, version] }),
  });
  // Whoever kills this process without a warning, as flintlockd does, has killed QEMU with it.
  const leash = findProgram("setpriv", path);
  const command = leash === undefined ? [program] : [leash, "--pdeathsig", "KILL", "--", program];
  const child = spawn(command[0] ?? program, [...command.slice(1), ...args], { stdio: ["ignore", "inherit", "inherit"] });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) onSignal(signal, () => child.kill("SIGKILL"));
  return exitCodeOf(child);
}

async function exitCodeOf(child: ChildProcess): Promise<number> {
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** As Firecracker does, ends at once when a network device is not there. */
function checkDevices(config: VmmConfig): void {
  const metadata = new Set(config["mmds-config"]?.network_interfaces);
  for (const { iface_id: id, host_dev_name: device } of config["network-interfaces"]) {
    if (device === "user" || metadata.has(id) || existsSync(join("/sys/class/net", device, "tun_flags"))) continue;
    throw new FireRunnerError(
      "FR-CONFIG",
      `network-interfaces: ${id}: there is no tap device "${device}"; make it first, or name "user" for user networking`,
    );
  }
}

/** By its first bytes: the configuration of Firecracker has no word for it. */
async function formatOf(path: string): Promise<"raw" | "qcow2"> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
      return buffer.toString("latin1") === "QFI\u00fb" ? "qcow2" : "raw";
    } finally {
      await file.close();
    }
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `opening the drive ${path}`);
  }
}

function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((candidate) => existsSync(candidate));
}
