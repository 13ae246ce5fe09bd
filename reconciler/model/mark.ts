import { z } from "zod";

/** The metadata key under which a microVM carries its owner's mark. */
export const markKey = "firerunner-mark";

/** Who made a microVM and for what; nothing secret is in it, because a host's metadata can be read. */
export const markSchema = z.object({
  v: z.literal(1),
  owner: z.string().min(1),
  vm: z.string().min(1),
  connection: z.string().min(1),
  pool: z.string().min(1),
  size: z.string().min(1),
  image: z.string().min(1),
  createdAt: z.int(),
  /** HMAC-SHA-256 over the other fields with the service's key, in hex. */
  hmac: z.string(),
});
export type Mark = z.output<typeof markSchema>;

/** The Flintlock namespace of an owner. */
export const namespaceOf = (owner: string): string => `fr-${owner}`;

/** Who runs this FireRunner. Namespace and microVM name together stay within 36 characters: host socket paths are short. */
export const ownerSchema = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "must be lower-case letters, digits and '-'")
  .max(12, "must be at most 12 characters");

const base32 = "abcdefghijklmnopqrstuvwxyz234567";

/** The n-th name made of a seed: `vm-`, the seed (10 characters a-z2-7) and two digits for n, so at most 1024 names a seed. */
export function microvmName(seed: string, n: number): string {
  return `vm-${seed}${base32[Math.floor(n / 32) % 32]}${base32[n % 32]}`;
}

/** A locally administered MAC for the n-th address of a host's network: unique per host as long as addresses are. */
export function macOf(host: string, n: number): string {
  let hash = 0x811c9dc5;
  for (const char of host) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  const octets = [0x02, hash & 0xff, (hash >>> 8) & 0xff, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff];
  return octets.map((octet) => octet.toString(16).padStart(2, "0")).join(":");
}
