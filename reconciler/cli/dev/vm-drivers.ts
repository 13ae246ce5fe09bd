import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { systemRandom } from "../../control/random.js";
import type { VmDriver } from "../../embedded/host/driver.js";
import { createFirecrackerDriver, firecrackerNotice } from "../../embedded/host/firecracker-driver.js";
import { localReference } from "../../embedded/host/guest-images.js";
import { createProcessDriver, processConsole, processNotice } from "../../embedded/host/process-driver.js";
import { createQemuDriver, qemuNotice } from "../../embedded/host/qemu-driver.js";
import { machineConsole } from "../../embedded/host/vm-folder.js";
import { chooseAccelerator, findKvm, type KvmSigns } from "../../embedded/vmm/accelerator.js";
import { ImageStore, imagesDirectory } from "../../images/image-store.js";
import type { ImageInput } from "../../model/image.js";
import { UsageError } from "../usage-error.js";

/** The option by which a kind of driver is chosen. */
export const driverArg = {
  driver: {
    type: "string",
    default: "auto",
    valueHint: "kind",
    description: "What runs microVMs: process, qemu, firecracker, or auto: the best that this machine has what is needed for",
  },
} as const;

type DriverKind = "process" | "qemu" | "firecracker";

/** What runs the microVMs of embedded hosts, and what they boot. */
export interface VmDrivers {
  readonly kind: DriverKind;
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

/** The images of virtual machines. */
export interface MachineImages {
  /** References; a `localReference` for what was built here. */
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

/** Where guests of virtual machines find this one: an address that is none of their own, so that what listens here needs no other. */
const loopback = "127.77.0.1";

/** Hosts whose microVMs are QEMU's. */
export function qemuDrivers(given: MachineImages): VmDrivers {
  const create = (directory: string) => createQemuDriver({ directory, ...bootedFrom(given) });
  return { kind: "qemu", notice: qemuNotice, create, consoleOf: machineConsole, image: imageOf(given), address: loopback };
}

/** Hosts whose microVMs are Firecracker's; `program` is its binary. */
export function firecrackerDrivers(program: string, given: MachineImages): VmDrivers {
  const create = (directory: string) => createFirecrackerDriver({ program, directory, ...bootedFrom(given) });
  return {
    kind: "firecracker",
    notice: firecrackerNotice,
    create,
    consoleOf: machineConsole,
    image: imageOf(given),
    address: loopback,
  };
}

const bootedFrom = ({ store, cache, env = {} }: MachineImages) => ({ images: { directory: cache, layout: store.layout }, env });

function imageOf({ kernel, rootfs, bootstrap = "agent" }: MachineImages): VmDrivers["image"] {
  return { kernel: { image: kernel, cmdline: { "firerunner.loopback": loopback, quiet: "" } }, rootfs: { image: rootfs }, bootstrap };
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

const images = { kernel: "kernel-minimal", rootfs: "shell" };
const unpacking = ["skopeo", "umoci", "mke2fs"];
const needed = {
  qemu: [...unpacking, "qemu-system-x86_64", "qemu-img"],
  firecracker: [...unpacking, "firecracker", "ip", "unshare", "nsenter"],
};

/** What was chosen, and why, in a few words. */
export interface ChosenDrivers {
  readonly drivers: VmDrivers;
  readonly why: string;
}

/** What a machine has; another one for tests. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly kvm: () => KvmSigns;
}

export const thisMachine = (env: Machine["env"]): Machine => ({ env, isRoot: process.getuid?.() === 0, kvm: findKvm });

/** The drivers that were asked for, or those that fit this machine; a `UsageError` when it cannot have the asked ones. */
export async function chooseDrivers(asked: string, machine: Machine): Promise<ChosenDrivers> {
  if (asked === "process") return { drivers: processDrivers(), why: "it was asked for" };
  if (asked !== "auto" && asked !== "qemu" && asked !== "firecracker") {
    throw new UsageError(`--driver: "${asked}" is refused: must be auto, process, qemu or firecracker`);
  }
  const store = new ImageStore(imagesDirectory(machine.env));
  const given = {
    kernel: localReference(images.kernel),
    rootfs: localReference(images.rootfs),
    store,
    cache: join(store.directory, "pulled"),
  };
  const lacking = { firecracker: await lackingFor("firecracker", store, machine), qemu: await lackingFor("qemu", store, machine) };
  const program = onPath("firecracker", machine.env);
  const accelerator = chooseAccelerator(machine.env.FIRERUNNER_ACCELERATOR, machine.kvm);
  if (asked !== "qemu" && program !== undefined && lacking.firecracker.length === 0) {
    return { drivers: firecrackerDrivers(program, given), why: `${program}, KVM and the images are here` };
  }
  if (asked !== "firecracker" && lacking.qemu.length === 0) {
    const how = accelerator === "kvm" ? "with KVM" : "by translation, for want of KVM";
    return { drivers: qemuDrivers(given), why: `QEMU and the images are here; it runs ${how}` };
  }
  if (asked !== "auto") throw new UsageError(`--driver ${asked}: this machine lacks ${lacking[asked].join(", ")}`);
  return { drivers: processDrivers(), why: `for microVMs this machine lacks ${lacking.qemu.join(", ")}` };
}

async function lackingFor(kind: "qemu" | "firecracker", store: ImageStore, machine: Machine): Promise<readonly string[]> {
  const missing = needed[kind].filter((program) => onPath(program, machine.env) === undefined);
  const built = new Set((await store.list()).map(({ name }) => name));
  const unbuilt = Object.values(images).filter((name) => !built.has(name));
  return [
    // Only root unpacks files with the owners that they have in the guest.
    ...(machine.isRoot ? [] : ["root's rights"]),
    ...(kind === "firecracker" && chooseAccelerator(machine.env.FIRERUNNER_ACCELERATOR, machine.kvm) !== "kvm" ? ["KVM"] : []),
    ...missing,
    ...unbuilt.map((name) => `the image ${name} (firerunner image build ${name})`),
  ];
}

function onPath(program: string, { PATH = "" }: Machine["env"]): string | undefined {
  const folders = PATH.split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
