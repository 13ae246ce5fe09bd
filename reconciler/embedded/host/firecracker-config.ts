import { stringify } from "yaml";
import type { MicroVMSpec, NetworkInterface } from "../../../proto/gen/types/microvm_pb.js";

/** What a host found or made for a microVM before its monitor starts. */
export interface HostFiles {
  readonly kernel: string;
  readonly rootDisk: string;
  /** The network device of an interface, by its device id. */
  readonly device: (id: string) => string;
}

/** What a flintlockd v0.11 puts on the kernel command line of every microVM of Firecracker's; entries of the caller replace these. */
const usualArguments: Readonly<Record<string, string>> = {
  console: "ttyS0",
  reboot: "k",
  panic: "1",
  pci: "off",
  "i8042.noaux": "",
  "i8042.nomux": "",
  "i8042.nopnp": "",
  "i8042.dumbkbd": "",
  ds: "nocloud-net;s=http://169.254.169.254/latest/",
};

/** The configuration file by which a host starts a microVM's monitor: Firecracker's, as a flintlockd v0.11 writes it. */
export function firecrackerConfig(spec: MicroVMSpec, files: HostFiles): unknown {
  return {
    drives: [
      {
        drive_id: "root",
        path_on_host: files.rootDisk,
        is_root_device: true,
        is_read_only: spec.rootVolume?.isReadOnly ?? false,
        cache_type: "Unsafe",
      },
    ],
    "boot-source": { kernel_image_path: files.kernel, boot_args: bootArguments(spec) },
    "machine-config": { vcpu_count: spec.vcpu, mem_size_mib: spec.memoryInMb, smt: true, track_dirty_pages: false },
    "mmds-config": { version: "V1", network_interfaces: ["eth0"] },
    "network-interfaces": spec.interfaces.map(({ deviceId, guestMac }) => ({
      iface_id: deviceId,
      host_dev_name: files.device(deviceId),
      ...(guestMac ? { guest_mac: guestMac } : {}),
    })),
  };
}

function bootArguments({ kernel, interfaces }: MicroVMSpec): string {
  const network = kernel?.addNetworkConfig ? { "network-config": Buffer.from(netplan(interfaces)).toString("base64") } : {};
  const all = { ...usualArguments, ...network, ...kernel?.cmdline };
  return Object.entries(all)
    .map(([key, value]) => (value === "" ? key : `${key}=${value}`))
    .join(" ");
}

/** The document from which the guest takes its addresses; the one of cloud-init and netplan. */
function netplan(interfaces: readonly NetworkInterface[]): string {
  const ethernets = interfaces.map((each) => [each.deviceId, ethernet(each)] as const);
  return stringify({ version: 2, ethernets: Object.fromEntries(ethernets) }, { indentSeq: false });
}

function ethernet({ guestMac, address }: NetworkInterface) {
  const isStatic = address !== undefined;
  return {
    ...(guestMac ? { match: { macaddress: guestMac } } : {}),
    ...(isStatic ? { addresses: [address.address] } : {}),
    ...(address?.gateway === undefined ? {} : { gateway4: address.gateway.replace(/\/.*/, "") }),
    dhcp4: !isStatic,
    dhcp6: !isStatic,
    "dhcp-identifier": "mac",
    ...(address === undefined || address.nameservers.length === 0 ? {} : { nameservers: { addresses: [...address.nameservers] } }),
  };
}
