import type { Accelerator } from "./accelerator.js";
import type { VmmConfig, VmmInterface } from "./config.js";
import { type GuestNetwork, guestNetworks } from "./guest-network.js";

export interface QemuOptions {
  readonly config: VmmConfig;
  readonly accelerator: Accelerator;
  /** The format of each drive's file, by drive id. */
  readonly formats: ReadonlyMap<string, "raw" | "qcow2">;
  /** The command that answers one request to the metadata service on its standard input; without one there is none. */
  readonly metadataCommand?: readonly string[];
  /** When this monitor began, in milliseconds since the epoch: the guest hands it on with the stages of its boot. */
  readonly beganAt?: number;
}

/** Where guests of Firecracker find their metadata service, and the network that reaches no further than it. */
const metadata = { address: "169.254.169.254", subnet: "169.254.0.0/16", gateway: "169.254.255.253", spare: "169.254.255.252" };

/** The arguments by which QEMU runs what a configuration of Firecracker describes. The console is standard output. */
export function qemuArguments(options: QemuOptions): readonly string[] {
  const { config, accelerator } = options;
  const { vcpu_count: vcpus, mem_size_mib: memoryMb } = config["machine-config"];
  return [
    // Timer and interrupt controller stay: without KVM's clock the kernel measures its own against them.
    ...["-M", "microvm,acpi=off,rtc=on"],
    ...["-accel", accelerator],
    ...["-cpu", "max", "-smp", String(vcpus), "-m", String(memoryMb)],
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    ...["-kernel", config["boot-source"].kernel_image_path, "-append", bootArguments(options)],
    ...config.drives.flatMap((drive) => driveArguments(drive, options.formats.get(drive.drive_id) ?? "raw")),
    ...interfaceArguments(options),
    // Nothing that a guest draws at random waits, or is what another guest drew.
    ...["-device", "virtio-rng-device"],
  ];
}

/** What Firecracker adds itself, and the one way to reset that QEMU's microvm has: the keyboard controller is not there. */
function bootArguments({ config: { "boot-source": source, drives }, accelerator, beganAt }: QemuOptions): string {
  const isReadOnly = drives.some((drive) => drive.is_root_device && drive.is_read_only);
  const began = beganAt === undefined ? [] : [`firerunner.monitor-began=${beganAt}`];
  // On a busy machine translated code finds its timer too slow, believes that it is broken, and panics.
  const timer = accelerator === "tcg" ? ["no_timer_check"] : [];
  return [source.boot_args, "root=/dev/vda", isReadOnly ? "ro" : "rw", "reboot=t", ...timer, ...began].join(" ").trim();
}

function driveArguments(drive: VmmConfig["drives"][number], format: "raw" | "qcow2"): readonly string[] {
  const { drive_id: id, path_on_host: path, is_read_only: isReadOnly, cache_type: cache } = drive;
  const settings = [
    `id=drive-${id}`,
    "if=none",
    `file=${escaped(path)}`,
    `format=${format}`,
    `cache=${cache === "Unsafe" ? "unsafe" : "writeback"}`,
    `readonly=${isReadOnly ? "on" : "off"}`,
  ];
  return ["-drive", settings.join(","), "-device", `virtio-blk-device,drive=drive-${id}`];
}

function interfaceArguments({ config, metadataCommand }: QemuOptions): readonly string[] {
  const networks = guestNetworks(config["boot-source"].boot_args);
  return config["network-interfaces"].flatMap((network) => {
    const serves = config["mmds-config"]?.network_interfaces.includes(network.iface_id) === true;
    const backend = serves ? metadataBackend(network, metadataCommand) : networkBackend(network, networks);
    const mac = network.guest_mac === undefined ? "" : `,mac=${network.guest_mac}`;
    return ["-netdev", backend, "-device", `virtio-net-device,netdev=${network.iface_id}${mac}`];
  });
}

/** The metadata service is answered within this machine's QEMU: many microVMs share its address, and no host device has it. */
function metadataBackend({ iface_id: id }: VmmInterface, command: readonly string[] | undefined): string {
  const service = command === undefined ? "" : `,guestfwd=tcp:${metadata.address}:80-cmd:${escaped(command.map(quoted).join(" "))}`;
  return `user,id=${id},net=${metadata.subnet},host=${metadata.gateway},dns=${metadata.spare},restrict=on,ipv6=off${service}`;
}

function networkBackend(
  { iface_id: id, host_dev_name: device, guest_mac: mac }: VmmInterface,
  networks: ReadonlyMap<string, GuestNetwork>,
) {
  if (device !== "user") return `tap,id=${id},ifname=${device},script=no,downscript=no`;
  const network = networks.get(mac?.toLowerCase() ?? "");
  if (network === undefined) return `user,id=${id},ipv6=off`;
  return `user,id=${id},net=${network.subnet},host=${network.gateway},dns=${network.spare},ipv6=off`;
}

/** QEMU separates settings by commas; one that belongs to a value is doubled. */
const escaped = (text: string): string => text.replaceAll(",", ",,");

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
