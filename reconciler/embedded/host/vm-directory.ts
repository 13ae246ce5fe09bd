import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { VmRequest } from "./driver.js";
import type { GuestPrograms } from "./guest-programs.js";

/** Where the parts of a process VM lie. */
export interface VmDirectory {
  readonly root: string;
  readonly bin: string;
  readonly home: string;
  readonly tmp: string;
  readonly state: string;
  readonly bootFile: string;
  readonly log: string;
}

export function vmDirectory(root: string): VmDirectory {
  const inside = (name: string) => join(root, name);
  return {
    root,
    bin: inside("bin"),
    home: inside("home"),
    tmp: inside("tmp"),
    state: inside("state"),
    bootFile: inside("boot"),
    log: inside("agent.log"),
  };
}

/** Makes a VM's directory ready for a boot; what an earlier boot left in it stays. Nobody else may read in it. */
export async function prepareVmDirectory(directory: VmDirectory, { metadata }: VmRequest, programs: GuestPrograms): Promise<void> {
  for (const path of [directory.root, directory.bin, directory.home, directory.tmp, directory.state]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
  await rm(directory.bootFile, { force: true });
  await writeFile(directory.bootFile, metadata["firerunner-boot"] ?? "", { mode: 0o600 });
  await writeShim(directory, "fr-http", `exec ${programs.http.map(quote).join(" ")} "$@"`);
  await writeShim(directory, "fr-runner", `exec ${programs.runner.map(quote).join(" ")} "$@"`);
  // The agent leads a process group, and this is one of it.
  await writeShim(directory, "fr-poweroff", "kill -KILL 0");
}

/** The whole environment of a VM's first process: nothing of the host's own but where programs are found. */
export function vmEnvironment(directory: VmDirectory, bootId: string): Record<string, string> {
  return {
    PATH: `${directory.bin}${delimiter}${process.env.PATH ?? "/usr/bin:/bin"}`,
    HOME: directory.home,
    TMPDIR: directory.tmp,
    LANG: process.env.LANG ?? "C.UTF-8",
    FIRERUNNER_BOOT_FILE: directory.bootFile,
    FIRERUNNER_STATE_DIR: directory.state,
    FIRERUNNER_BOOT_ID: bootId,
    FIRERUNNER_RETRY_S: "1",
  };
}

/** Removes a directory even when a job has made parts of it read-only. */
export async function removeDirectory(root: string): Promise<void> {
  try {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    await makeWritable(root);
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
  }
}

async function writeShim({ bin }: VmDirectory, name: string, script: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o700 });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
