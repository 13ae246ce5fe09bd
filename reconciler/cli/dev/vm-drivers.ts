import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { systemRandom } from "../../control/random.js";
import type { VmDriver } from "../../embedded/host/driver.js";
import { createProcessDriver, processConsole, processNotice } from "../../embedded/host/process-driver.js";
import { createQemuDriver, qemuConsole, qemuNotice } from "../../embedded/host/qemu-driver.js";
import { ImageStore, imagesDirectory } from "../../images/image-store.js";
import type { ImageInput } from "../../model/image.js";
import { UsageError } from "../usage-error.js";

/** The option by which a kind of driver is chosen. */
export const driverArg = {
  driver: {
    type: "string",
    default: "auto",
    valueHint: "kind",
    description: "What runs microVMs: process, qemu, or auto (qemu where it, its tools and images built here are found)",
  },
} as const;

/** What runs the microVMs of embedded hosts, and what they boot. */
export interface VmDrivers {
  readonly kind: "process" | "qemu";
  /** What whoever starts them should be told. */
  readonly notice: string;
  /** A driver for one host, in a directory of its own. */
  create(directory: string): VmDriver;
  /** Where consoles lie of a host in such a directory, with `{uid}` for the microVM's id there. */
  consoleOf(directory: string): string;
  /** What the fleet is to declare as its image. */
  readonly image: Pick<ImageInput, "kernel" | "rootfs" | "bootstrap">;
  /** The loopback address at which guests find this machine. */
  readonly address: string;
}

export interface QemuImages {
  /** References, or `firerunner.local/NAME:built` for what was built here. */
  readonly kernel: string;
  readonly rootfs: string;
  readonly store: ImageStore;
  /** Where pulled images are kept. */
  readonly cache: string;
  /** How the agent gets into the guest; it is in the image when left out. */
  readonly bootstrap?: ImageInput["bootstrap"];
  /** Further variables of the monitor. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Hosts whose microVMs are virtual machines. Guests reach this machine at a loopback address that is none of their own, so
 * that what listens there needs no other address.
 */
export function qemuDrivers({ kernel, rootfs, bootstrap = "agent", store, cache, env }: QemuImages): VmDrivers {
  const address = "127.77.0.1";
  const create = (directory: string) =>
    createQemuDriver({ directory, images: { directory: cache, layout: store.layout }, ...(env === undefined ? {} : { env }) });
  return {
    kind: "qemu",
    notice: qemuNotice,
    create,
    consoleOf: qemuConsole,
    image: { kernel: { image: kernel, cmdline: { "firerunner.loopback": address, quiet: "" } }, rootfs: { image: rootfs }, bootstrap },
    address,
  };
}

/** Hosts whose microVMs are processes of this user. */
function processDrivers(): VmDrivers {
  return {
    kind: "process",
    notice: processNotice,
    create: (directory) => createProcessDriver({ directory, random: systemRandom }),
    consoleOf: processConsole,
    // Nothing is booted; the names only show where real ones stand.
    image: { kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/shell:1" } },
    address: "127.0.0.1",
  };
}

const programs = ["qemu-system-x86_64", "qemu-img", "skopeo", "umoci", "mke2fs"];
const images = { kernel: "kernel-minimal", rootfs: "shell" };

/** The drivers that were asked for, or those that fit this machine; a `UsageError` when it cannot have the asked ones. */
export async function chooseDrivers(asked: string, env: Readonly<Record<string, string | undefined>>): Promise<VmDrivers> {
  if (asked === "process") return processDrivers();
  if (asked !== "auto" && asked !== "qemu") throw new UsageError(`--driver: "${asked}" is refused: must be auto, process or qemu`);
  const store = new ImageStore(imagesDirectory(env));
  const lacking = await lackingForQemu(store, env.PATH ?? "");
  if (lacking.length === 0) {
    const local = (name: string) => `firerunner.local/${name}:built`;
    return qemuDrivers({ kernel: local(images.kernel), rootfs: local(images.rootfs), store, cache: join(store.directory, "pulled") });
  }
  if (asked === "qemu") throw new UsageError(`--driver qemu: this machine lacks ${lacking.join(", ")}`);
  return processDrivers();
}

async function lackingForQemu(store: ImageStore, path: string): Promise<readonly string[]> {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  const built = new Set((await store.list()).map(({ name }) => name));
  const unbuilt = Object.values(images).filter((name) => !built.has(name));
  // Only root unpacks files with the owners that they have in the guest.
  const root = process.getuid?.() === 0 ? [] : ["root's rights"];
  return [...root, ...missing, ...unbuilt.map((name) => `the image ${name} (firerunner image build ${name})`)];
}
