import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { FireRunnerError } from "../../model/errors.js";

/** A webhook as it arrived. */
export interface ReceivedWebhook {
  /** By lower-case name, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body's bytes as they came: a signature is over these. */
  readonly rawBody: Uint8Array;
}

/** Standard Webhooks: what is older, or from the future, may be a repetition of something overheard. */
const toleranceMs = 300_000;
const leastKeyBytes = 24;

/** Whether what came as `X-Gitlab-Token` is the secret; an empty one proves nothing. */
export function provesSecret({ headers }: Pick<ReceivedWebhook, "headers">, secret: string): boolean {
  const given = headers["x-gitlab-token"];
  return typeof given === "string" && secret !== "" && timingSafeEqual(sha256(given), sha256(secret));
}

/** Digests have one length, so that the comparison's time tells nothing of the secret's. */
const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * Whether one of the webhook's signatures was made with the signing token (`whsec_` and base64), not long before or after
 * `now` (milliseconds since the epoch). Throws `FR-CONFIG` when the signing token is none.
 */
export function provesSignature({ headers, rawBody }: ReceivedWebhook, signingToken: string, now: number): boolean {
  const key = keyOf(signingToken);
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") return false;
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp) * 1000) > toleranceMs) return false;
  const right = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(rawBody).digest();
  return signatures.split(" ").some((signature) => {
    const given = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(signature)?.[1];
    return given !== undefined && timingSafeEqual(Buffer.from(given, "base64"), right);
  });
}

function keyOf(signingToken: string): Buffer {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(signingToken)?.[1];
  const key = Buffer.from(base64 ?? "", "base64");
  if (key.length >= leastKeyBytes) return key;
  throw new FireRunnerError("FR-CONFIG", `a webhook's signing token must be "whsec_" and at least ${leastKeyBytes} bytes as base64`);
}
