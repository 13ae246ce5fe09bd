import type { Random } from "../../model/clock.js";

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID: 10 characters for `now` (ms since the epoch) and 16 random ones. */
export function ulid(now: number, random: Random): string {
  const time = Array.from({ length: 10 }, (_, index) => crockford[Math.floor(now / 32 ** (9 - index)) % 32]);
  const noise = (random.hex(16).match(/../g) ?? []).map((byte) => crockford[Number.parseInt(byte, 16) % 32]);
  return [...time, ...noise].join("");
}
