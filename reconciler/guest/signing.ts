import { createHmac, timingSafeEqual } from "node:crypto";

/** What the service's key is used for here; each use has a key of its own. */
export type KeyUse = "guest-nonce" | "ownership-mark";

/** The key for one use, made of the service's key (64 hex digits): what one use shows says nothing about another. */
export function derivedKey(serviceKey: string, use: KeyUse): Buffer {
  return createHmac("sha256", Buffer.from(serviceKey, "hex")).update(`firerunner/${use}/v1`).digest();
}

/** HMAC-SHA-256 in hex over texts that cannot run into each other. */
export function signature(key: Buffer, texts: readonly (string | number)[]): string {
  return createHmac("sha256", key).update(JSON.stringify(texts)).digest("hex");
}

/** Whether two texts are the same, in a time that tells only whether their lengths are. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
