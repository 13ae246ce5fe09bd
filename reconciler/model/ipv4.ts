/** IPv4 addresses as unsigned 32-bit numbers: what allocation and overlap checks compute with. */

const dotted = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** The number of a dotted address, or undefined when it is not one. */
export function parseIpv4(text: string): number | undefined {
  const parts = dotted.exec(text);
  if (parts === null) return undefined;
  let value = 0;
  for (const part of parts.slice(1)) {
    const octet = Number(part);
    if (octet > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

/** The dotted form of a number between 0 and 2^32-1. */
export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** A network: its first address, how many addresses it holds, and the prefix length. */
export interface Subnet {
  readonly first: number;
  readonly count: number;
  readonly prefix: number;
}

/** The network of `10.0.0.0/24`-like text, or undefined when the text is not a network address with its prefix. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = "", prefixText = "", ...rest] = text.split("/");
  const first = parseIpv4(address);
  if (first === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (prefix > 30) return undefined;
  const count = 2 ** (32 - prefix);
  return first % count === 0 ? { first, count, prefix } : undefined;
}

/** Whether two networks share an address. */
export function overlap(a: Subnet, b: Subnet): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}

/** Whether the network holds the address as one that a machine may have (not its own and not its broadcast address). */
export function holds(subnet: Subnet, address: number): boolean {
  return address > subnet.first && address < subnet.first + subnet.count - 1;
}

/** Addresses from `first` to `last`, both included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** The addresses of `10.0.0.5`, `10.0.0.5-10.0.0.9` or `10.0.0.8/30`, or undefined when the text is none of these. */
export function parseRange(text: string): AddressRange | undefined {
  const subnet = text.includes("/") ? parseSubnet(text) : undefined;
  if (subnet !== undefined) return { first: subnet.first, last: subnet.first + subnet.count - 1 };
  const [from = "", to = from, ...rest] = text.split("-");
  const first = parseIpv4(from);
  const last = parseIpv4(to);
  return first === undefined || last === undefined || last < first || rest.length > 0 ? undefined : { first, last };
}
