import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { FireRunnerError } from "../model/errors.js";
import type { Sealer } from "./port.js";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals with AES-256-GCM under a key of 64 hex digits; anything else is refused with `FR-CONFIG`. A sealed text is
 * `v1.` and, in base64url, nonce, ciphertext and tag. What does not open under this key and context is refused with
 * `FR-STORE-SEALED`.
 */
export function createSealer(keyHex: string): Sealer {
  if (!/^[0-9a-fA-F]{64}$/.test(keyHex)) {
    throw new FireRunnerError("FR-CONFIG", `the store's key is refused: must be 64 hex digits, has ${keyHex.length} characters`);
  }
  // The service's key also signs marks: each use has a key of its own.
  const key = Buffer.from(hkdfSync("sha256", Buffer.from(keyHex, "hex"), "", "firerunner/sealer/v1", 32));

  return {
    seal(secret, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(context));
      const ciphertext = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return `v1.${Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString("base64url")}`;
    },

    open(sealed, context) {
      const refuse = (why: string): FireRunnerError =>
        new FireRunnerError("FR-STORE-SEALED", `opening the secret sealed for ${JSON.stringify(context)} failed: ${why}`);
      const payload = /^v1\.([A-Za-z0-9_-]+)$/.exec(sealed)?.[1];
      if (payload === undefined) throw refuse("it is not a sealed text that this version knows");
      const bytes = Buffer.from(payload, "base64url");
      if (bytes.length < nonceBytes + tagBytes) throw refuse("it is cut short");
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(-tagBytes));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
      } catch {
        throw refuse("the key is another one, it was sealed for something else, or it was changed");
      }
    },
  };
}

/** Tells one key from another, and nothing of the key: a store that several processes write to notes whose it is. */
export const sealingKeyId = (keyHex: string): string =>
  Buffer.from(hkdfSync("sha256", Buffer.from(keyHex, "hex"), "", "firerunner/key-id/v1", 12)).toString("hex");
