import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VmRequest } from "./driver.js";
import { firecrackerConfig, type HostFiles } from "./firecracker-config.js";

/** Writes what a monitor with Firecracker's command line reads, into the VM's directory; resolves to the arguments that it is started with. */
export async function writeBootFiles({ uid, spec, metadata }: VmRequest, directory: string, files: HostFiles): Promise<readonly string[]> {
  const config = join(directory, "firecracker.cfg");
  const metadataFile = join(directory, "metadata.json");
  await writeFile(config, JSON.stringify(firecrackerConfig(spec, files)), { mode: 0o600 });
  await writeFile(metadataFile, JSON.stringify({ latest: metadata }), { mode: 0o600 });
  return ["--id", uid, "--boot-timer", "--no-api", "--config-file", config, "--metadata", metadataFile];
}
