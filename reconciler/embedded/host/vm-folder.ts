import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { MicroVMSpec } from "../../../proto/gen/types/microvm_pb.js";
import type { HostFiles } from "./firecracker-config.js";
import type { GuestImages } from "./guest-images.js";

/** How a driver gives each VM a disk of its own. */
export interface OwnDisk {
  readonly fileName: string;
  /** Makes it at `path` from the disk of the VM's image. */
  make(base: string, path: string): Promise<unknown>;
}

/**
 * Makes the directory of a VM that boots images, with a disk of its own; resolves to the kernel and that disk. A VM that is started
 * again finds its disk as it was.
 */
export async function makeVmFolder(
  images: GuestImages,
  { kernel, rootVolume }: MicroVMSpec,
  folder: string,
  disk: OwnDisk,
): Promise<Pick<HostFiles, "kernel" | "rootDisk">> {
  const [kernelFile, base] = await Promise.all([
    images.kernel(kernel?.image ?? "", kernel?.filename ?? ""),
    images.disk(rootVolume?.source?.containerSource ?? ""),
  ]);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const rootDisk = join(folder, disk.fileName);
  if (!(await stat(rootDisk).catch(() => undefined))) await disk.make(base, rootDisk);
  return { kernel: kernelFile, rootDisk };
}

/** The file in a VM's directory that holds what its serial console said. */
export const consoleIn = (folder: string): string => join(folder, "console.log");

/** Where the serial consoles lie of a host in this directory whose VMs boot images, with `{uid}` for the VM's id. */
export const machineConsole = (directory: string): string => consoleIn(join(directory, "{uid}"));
