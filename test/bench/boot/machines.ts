import { firecrackerConfig } from "../../../reconciler/embedded/host/firecracker-config.js";
import { keepSpec } from "../../../reconciler/embedded/host/kept-spec.js";
import { chooseAccelerator, findKvm } from "../../../reconciler/embedded/vmm/accelerator.js";
import { vmmConfigSchema } from "../../../reconciler/embedded/vmm/config.js";
import { qemuArguments } from "../../../reconciler/embedded/vmm/qemu-command.js";
import { buildMicrovmSpec } from "../../../reconciler/flintlock/grpc/microvm-spec.js";
import { recipe } from "../../../reconciler/images/recipes.js";
import { aHost, anImage, aVm } from "../../../reconciler/plan/snapshot.fixture.js";
import type { StockDebian } from "./stock-debian.js";

/** What both machines have. */
const size = { vcpu: 1, memoryMb: 1024 } as const;
/** The address at which guests find this machine: QEMU's own connections end at its loopback. */
export const gateway = "10.20.0.1";

/** The files of one boot. */
export interface BootFiles {
  /** An overlay of its own. */
  readonly disk: string;
  /** What the metadata service answers. */
  readonly metadata: string;
}

/** QEMU's arguments for the microVM that a host is asked for, as our own monitor gives them; `cmdline` is what the image adds. */
export function microvmArguments(
  kernel: string,
  { disk, metadata }: BootFiles,
  cmdline: Readonly<Record<string, string>>,
): readonly string[] {
  const image = anImage({ kernel: { image: "registry.example/kernel:6.1", filename: "boot/vmlinux", cmdline: { quiet: "", ...cmdline } } });
  const asked = buildMicrovmSpec({ host: aHost(), image, microvm: aVm({ size }), namespace: "fr-bench", metadata: {} });
  // With the interface to the metadata service that a host adds.
  const spec = keepSpec(asked, "01M84KPCSZC3AH3Q5HXYRYHNTX");
  const device = (id: string) => (id === "eth0" ? "metadata" : "user");
  const config = vmmConfigSchema.parse(firecrackerConfig(spec, { kernel, rootDisk: disk, device }));
  return qemuArguments({
    config,
    accelerator: chooseAccelerator(process.env.FIRERUNNER_ACCELERATOR, findKvm),
    formats: new Map([["root", "qcow2"]]),
    beganAt: Date.now(),
    metadataCommand: [process.execPath, recipe("vmm/fr-mmds.mjs"), metadata, "V1"],
  });
}

/**
 * The same machine for a kernel that knows no other than a PC: PCI instead of the memory bus, firmware, and an initial RAM
 * disk. All else is as it is for a microVM.
 */
export function pcArguments({ kernel, initrd }: StockDebian, files: BootFiles): readonly string[] {
  const given = microvmArguments(kernel, files, {}).map((argument) =>
    argument
      .replace(/^microvm,.*/, "q35")
      .replace(/^virtio-(blk|net|rng)-device/, "virtio-$1-pci")
      .replace("pci=off ", ""),
  );
  return [...given, "-initrd", initrd];
}
