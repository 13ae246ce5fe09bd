import { isIP } from "node:net";

/** An address with prefix length, IPv4 or IPv6. */
export function isCidr(text: string): boolean {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const family = isIP(address);
  return family !== 0 && rest.length === 0 && /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** A hardware address of 6, 8 or 20 bytes, written with colons, hyphens or dots. */
export function isMac(text: string): boolean {
  const groups = (separator: string, digits: number, counts: readonly number[]) => {
    const parts = text.split(separator);
    return counts.includes(parts.length) && parts.every((part) => part.length === digits && /^[0-9a-f]+$/i.test(part));
  };
  return groups(":", 2, [6, 8, 20]) || groups("-", 2, [6, 8, 20]) || groups(".", 4, [3, 4, 10]);
}
