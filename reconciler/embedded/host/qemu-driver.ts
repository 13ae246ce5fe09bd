import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { recipe } from "../../images/recipes.js";
import { runTool } from "../../images/run-tool.js";
import { writeBootFiles } from "./boot-files.js";
import type { VmDriver } from "./driver.js";
import { GuestImages, type GuestImagesOptions } from "./guest-images.js";
import { consoleIn, makeVmFolder, type OwnDisk } from "./vm-folder.js";
import { type PrepareVm, VmGroups } from "./vm-groups.js";

export interface QemuDriverOptions {
  /** The host's own directory; made when missing. Only one host at a time may use it. */
  readonly directory: string;
  readonly images: GuestImagesOptions;
  /** Further variables of the monitor, for example `FIRERUNNER_ACCELERATOR`. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What whoever starts such a driver should be told. */
export const qemuNotice = "The qemu driver boots every microVM from its images by QEMU, with networking as this user.";

/** An overlay of its own on the image's disk. */
const overlayDisk: OwnDisk = {
  fileName: "root.qcow2",
  make: (base, path) => runTool("qemu-img", ["create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", path], { limitMs: 60_000 }),
};

/**
 * Runs every VM by QEMU: it boots the kernel and the root file system of the images that it is asked for, in a machine of
 * its own. Each VM writes to an overlay of its own on a disk that all of its image share. The monitor is the program of
 * `firerunner dev vmm`, which takes Firecracker's command line and configuration.
 */
export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const images = new GuestImages(options.images);
  const prepare: PrepareVm = async (vm, directory) => {
    const files = await makeVmFolder(images, vm.spec, directory, overlayDisk);
    const device = (id: string) => (id === "eth0" ? "metadata" : "user");
    const given = await writeBootFiles(vm, directory, { ...files, device });
    const env = {
      PATH: process.env.PATH ?? "/usr/bin:/bin",
      HOME: directory,
      TMPDIR: directory,
      FIRERUNNER_METADATA_PROGRAM: recipe("vmm/fr-mmds.mjs"),
      ...options.env,
    };
    return { command: [...monitor(), ...given], env, log: consoleIn(directory) };
  };
  return new VmGroups(options.directory, prepare);
}

/** The monitor of this installation, be it sources or a package. */
function monitor(): readonly string[] {
  const program = fileURLToPath(new URL(`../vmm/bin${extname(import.meta.url)}`, import.meta.url));
  if (extname(import.meta.url) === ".js") return [process.execPath, program];
  // By its full path: the command is started in a directory that knows no packages.
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return [process.execPath, "--import", loader, program];
}
