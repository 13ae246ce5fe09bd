import type { Architecture } from "./image-store.js";

/** What one line of a kernel configuration says of an option: `y`, a number or a text; `n` when it is said to be off. */
export interface KernelOption {
  readonly name: string;
  readonly value: string;
}

/** The options of a configuration or a fragment of one, by name without `CONFIG_`; comments and blank lines are passed over. */
export function readKernelOptions(text: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const line of text.split("\n")) {
    const set = /^CONFIG_(\w+)=(.*)$/.exec(line);
    const unset = /^# CONFIG_(\w+) is not set$/.exec(line);
    if (set?.[1] !== undefined) options.set(set[1], set[2] ?? "");
    else if (unset?.[1] !== undefined) options.set(unset[1], "n");
  }
  return options;
}

/** What a fragment asks for and a configuration does not have, as the fragment asked for it. */
export function droppedOptions(wanted: ReadonlyMap<string, string>, config: ReadonlyMap<string, string>): readonly KernelOption[] {
  return [...wanted].flatMap(([name, value]) => ((config.get(name) ?? "n") === value ? [] : [{ name, value }]));
}

/** What a kernel must have built in to boot any of our root file systems to its agent, and what each is for. */
const needed: Readonly<Record<string, string>> = {
  VIRTIO_MMIO: "the devices of a microVM are on virtio's memory bus",
  VIRTIO_BLK: "the root file system is on a virtio disk",
  VIRTIO_NET: "boot data and the reconciler are reached over virtio's network",
  EXT4_FS: "the host makes the root file system an ext4",
  SERIAL_8250_CONSOLE: "the console, and with it every word of a guest that does not boot, is a serial line",
  DEVTMPFS: "the image's /dev is empty",
  DEVTMPFS_MOUNT: "init needs a console before it can mount anything",
  TMPFS: "the agent keeps its secrets in memory",
  PROC_FS: "init reads the kernel command line",
  SYSFS: "init finds network devices by their MAC",
  UNIX: "programs speak with each other over sockets",
  INET: "boot data and the reconciler are reached over IPv4",
  BINFMT_ELF: "programs are ELF files",
  BINFMT_SCRIPT: "init and the agent are scripts",
  FUTEX: "the runner has threads",
  EPOLL: "the runner waits for many things at once",
  CGROUPS: "jobs are limited by them",
};

/** And on one architecture alone. */
const neededOn: Readonly<Record<Architecture, Readonly<Record<string, string>>>> = {
  amd64: { VIRTIO_MMIO_CMDLINE_DEVICES: "the host names the devices on the kernel command line" },
  arm64: { SERIAL_OF_PLATFORM: "the console is a serial line that the device tree tells of" },
};

/** A needed option that a kernel lacks, or has as a module only, with what it is for. */
export interface LackingOption {
  readonly name: string;
  readonly reason: string;
  readonly found: "missing" | "module";
}

/** What a kernel of this configuration lacks to boot a microVM. */
export function lackingOptions(config: ReadonlyMap<string, string>, arch: Architecture): readonly LackingOption[] {
  return Object.entries({ ...needed, ...neededOn[arch] }).flatMap(([name, reason]) => {
    const value = config.get(name) ?? "n";
    if (value === "y") return [];
    return [{ name, reason, found: value === "m" ? "module" : "missing" } as const];
  });
}
