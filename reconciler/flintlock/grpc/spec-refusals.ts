import { parse } from "yaml";
import type { Host } from "../../model/host.js";
import type { Image } from "../../model/image.js";
import { formatIpv4, holds, parseIpv4, parseSubnet } from "../../model/ipv4.js";
import type { Microvm } from "../../model/microvm.js";
import type { Refusal } from "../../model/validation.js";
import type { CreateRequest } from "../port.js";
import { imageReferenceFault } from "./image-reference.js";

/** Together they become part of a Unix socket's path, which is short. */
const longestNamespaceAndName = 36;
/** Firecracker's metadata store holds 51,200 bytes; the host adds an entry of its own. */
const longestMetadataBytes = 50_000;
/** Firecracker's kernel command line holds 2,048 characters; the host's own arguments and the network take the rest. */
const longestCmdline = 800;
/** The MAC that the host gives to its own interface in every microVM. */
const hostsOwnMac = "aa:ff:00:00:00:01";

const label = /^[a-z0-9][a-z0-9-]*$/;
const labelForm = "must be lower-case letters, digits and '-', beginning with a letter or digit";

/**
 * Everything in a request that a host would reject, wedge on, or accept and fail on later, each with field, value and
 * accepted form. Empty when the host can boot it.
 */
export function specRefusals(request: CreateRequest): readonly Refusal[] {
  const { host, image, microvm, namespace, metadata } = request;
  return [
    ...names(namespace, microvm.name),
    ...size(microvm.size),
    ...imageRefusals(image),
    ...mac(microvm.mac),
    ...network(host.network, microvm.address),
    ...metadataRefusals(metadata),
  ];
}

function refuse(field: string, value: unknown, accepted: string): readonly Refusal[] {
  return [{ field, message: `${JSON.stringify(value)} is refused: ${accepted}` }];
}

function names(namespace: string, name: string): readonly Refusal[] {
  const found = [
    ...(label.test(namespace) ? [] : refuse("namespace", namespace, labelForm)),
    ...(label.test(name) ? [] : refuse("microvm.name", name, labelForm)),
  ];
  if (found.length > 0 || namespace.length + name.length <= longestNamespaceAndName) return found;
  const accepted = `namespace "${namespace}" and name together must be at most ${longestNamespaceAndName} characters`;
  return refuse("microvm.name", name, accepted);
}

function size({ vcpu, memoryMb }: Microvm["size"]): readonly Refusal[] {
  const cpus = Number.isInteger(vcpu) && vcpu >= 1 && vcpu <= 32 && (vcpu === 1 || vcpu % 2 === 0);
  const memory = Number.isInteger(memoryMb) && memoryMb >= 1024 && memoryMb <= 32_768;
  return [
    ...(cpus ? [] : refuse("microvm.size.vcpu", vcpu, "must be 1 or an even number up to 32")),
    ...(memory ? [] : refuse("microvm.size.memoryMb", memoryMb, "must be 1024 to 32768, as Flintlock boots; change the pool's size")),
  ];
}

function imageRefusals({ kernel, rootfs }: Image): readonly Refusal[] {
  const kernelFault = imageReferenceFault(kernel.image);
  const rootfsFault = imageReferenceFault(rootfs.image);
  return [
    ...(kernelFault === undefined ? [] : refuse("image.kernel.image", kernel.image, `must ${kernelFault}`)),
    ...(rootfsFault === undefined ? [] : refuse("image.rootfs.image", rootfs.image, `must ${rootfsFault}`)),
    ...(isPathInside(kernel.filename)
      ? []
      : refuse("image.kernel.filename", kernel.filename, "must be a file's path inside the image, such as boot/vmlinux")),
    ...cmdline(kernel.cmdline),
  ];
}

function isPathInside(path: string): boolean {
  return /^[\x21-\x7e]+$/.test(path) && !path.endsWith("/") && !path.split("/").includes("..");
}

function cmdline(entries: Image["kernel"]["cmdline"]): readonly Refusal[] {
  const found = Object.entries(entries).flatMap(([key, value]) => [
    ...(/^[\x21-\x3c\x3e-\x7e]+$/.test(key)
      ? []
      : refuse("image.kernel.cmdline", key, "keys must be printable ASCII without blanks and '='")),
    ...(/^[\x21-\x7e]*$/.test(value) ? [] : refuse(`image.kernel.cmdline.${key}`, value, "must be printable ASCII without blanks")),
  ]);
  const length = Object.entries(entries).reduce((sum, [key, value]) => sum + key.length + value.length + 2, 0);
  if (length <= longestCmdline) return found;
  return [...found, { field: "image.kernel.cmdline", message: `${length} characters are refused: must be at most ${longestCmdline}` }];
}

function mac(text: string): readonly Refusal[] {
  const accepted = "must be a locally administered unicast MAC such as 02:00:00:00:00:01";
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return refuse("microvm.mac", text, accepted);
  const kind = Number.parseInt(text.slice(0, 2), 16) & 3;
  return kind === 2 && text.toLowerCase() !== hostsOwnMac ? [] : refuse("microvm.mac", text, accepted);
}

function network(declared: Host["network"], address: string | undefined): readonly Refusal[] {
  const bridge =
    declared.bridge === undefined || /^[\x21-\x2e\x30-\x39\x3b-\x7e]{1,15}$/.test(declared.bridge)
      ? []
      : refuse("host.network.bridge", declared.bridge, "must be an interface's name: up to 15 characters without blanks, '/' and ':'");
  if (declared.mode === "dhcp") {
    return address === undefined ? bridge : [...bridge, ...refuse("microvm.address", address, "must be absent on a host with DHCP")];
  }
  return [...bridge, ...staticAddress(declared, address)];
}

function staticAddress(declared: Extract<Host["network"], { mode: "static" }>, address: string | undefined): readonly Refusal[] {
  const subnet = parseSubnet(declared.subnet);
  if (subnet === undefined) return refuse("host.network.subnet", declared.subnet, "must be a network such as 10.20.0.0/24");
  const gateway = parseIpv4(declared.gateway);
  if (gateway === undefined || !holds(subnet, gateway)) {
    return refuse("host.network.gateway", declared.gateway, `must be an address of subnet ${declared.subnet}`);
  }
  const nameservers = declared.nameservers.flatMap((server, index) =>
    parseIpv4(server) === undefined ? refuse(`host.network.nameservers[${index}]`, server, "must be an IPv4 address") : [],
  );
  const example = `${formatIpv4(gateway === subnet.first + 1 ? gateway + 1 : subnet.first + 1)}/${subnet.prefix}`;
  const accepted = `must be an address of subnet ${declared.subnet} other than the gateway, with its prefix, such as ${example}`;
  const [own = "", prefix, ...rest] = (address ?? "").split("/");
  const value = parseIpv4(own);
  const fits = value !== undefined && rest.length === 0 && prefix === String(subnet.prefix) && holds(subnet, value) && value !== gateway;
  return fits ? nameservers : [...nameservers, ...refuse("microvm.address", address ?? null, accepted)];
}

/** A map of texts in YAML: the host takes nothing else as a microVM's `meta-data`. */
function isFlatMap(text: string): boolean {
  try {
    const map: unknown = parse(text);
    return typeof map === "object" && map !== null && !Array.isArray(map) && Object.values(map).every((value) => typeof value === "string");
  } catch {
    return false;
  }
}

function metadataRefusals(metadata: CreateRequest["metadata"]): readonly Refusal[] {
  const found = Object.keys(metadata).flatMap((key) => {
    if (key === "meta-data" && !isFlatMap(metadata[key] ?? ""))
      return refuse("metadata", key, "must be a YAML map of texts, to which the host adds an id");
    return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key) ? [] : refuse("metadata", key, "keys must be letters, digits, '.', '_' and '-'");
  });
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes <= longestMetadataBytes) return found;
  return [...found, { field: "metadata", message: `${bytes} bytes are refused: must be at most ${longestMetadataBytes}` }];
}
