import { parse } from "yaml";
import { z } from "zod";
import { formatIpv4, parseIpv4, parseSubnet } from "../../model/ipv4.js";

/** The network of an interface as the guest is told it. */
export interface GuestNetwork {
  /** The subnet, `10.77.0.0/24`. */
  readonly subnet: string;
  readonly gateway: string;
  /** An address of the subnet that is neither the gateway nor the guest: whoever answers for DNS may have it. */
  readonly spare: string;
}

const netplanSchema = z.object({
  ethernets: z.record(
    z.string(),
    z.object({
      match: z.object({ macaddress: z.string() }).optional(),
      addresses: z.array(z.string()).default([]),
      gateway4: z.string().optional(),
    }),
  ),
});

/**
 * The networks that the kernel arguments tell the guest in `network-config=` (base64 of a netplan document), by MAC in lower
 * case. An interface without an IPv4 address and gateway is left out, and so is all of what cannot be read.
 */
export function guestNetworks(bootArgs: string): ReadonlyMap<string, GuestNetwork> {
  const encoded = bootArgs.split(" ").find((argument) => argument.startsWith("network-config="));
  if (encoded === undefined) return new Map();
  const networks = new Map<string, GuestNetwork>();
  for (const { match, addresses, gateway4 } of readNetplan(Buffer.from(encoded.slice("network-config=".length), "base64").toString())) {
    const network = gateway4 === undefined ? undefined : networkOf(addresses[0] ?? "", gateway4);
    if (match !== undefined && network !== undefined) networks.set(match.macaddress.toLowerCase(), network);
  }
  return networks;
}

function readNetplan(text: string) {
  try {
    const read = netplanSchema.safeParse(parse(text));
    return read.success ? Object.values(read.data.ethernets) : [];
  } catch {
    return [];
  }
}

function networkOf(cidr: string, gateway: string): GuestNetwork | undefined {
  const [address = "", prefix = ""] = cidr.split("/");
  const own = parseIpv4(address);
  const bits = Number(prefix);
  if (own === undefined || parseIpv4(gateway) === undefined || !(bits >= 8 && bits <= 30)) return undefined;
  const size = 2 ** (32 - bits);
  const first = own - (own % size);
  const spare = [1, 2, 3].map((back) => formatIpv4(first + size - 1 - back)).find((each) => each !== address && each !== gateway);
  const subnet = `${formatIpv4(first)}/${prefix}`;
  return spare === undefined || parseSubnet(subnet) === undefined ? undefined : { subnet, gateway, spare };
}
