import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { FireRunnerError } from "../../model/errors.js";

/** A webhook as it arrived, and what its sender is known by. */
export interface ReceivedWebhook {
  /** By lower-case name, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body's bytes as they came: a signature is over these. */
  readonly rawBody: Uint8Array;
  /** What GitLab sends as `X-Gitlab-Token`. */
  readonly secret?: string;
  /** GitLab's signing token: `whsec_` and base64. */
  readonly signingToken?: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Standard Webhooks: what is older, or from the future, may be a repetition of something overheard. */
const toleranceMs = 300_000;
const leastKeyBytes = 24;

/**
 * Whether the webhook comes from who knows the secret and the signing token: both where both are given. Without either
 * nothing is authentic. Throws `FR-CONFIG` when the signing token is none.
 */
export function verifyWebhook(webhook: ReceivedWebhook): boolean {
  const { secret, signingToken } = webhook;
  if (secret === undefined && signingToken === undefined) return false;
  if (secret !== undefined && !tokenIsRight(webhook, secret)) return false;
  return signingToken === undefined || signatureIsRight(webhook, keyOf(signingToken));
}

function tokenIsRight({ headers }: ReceivedWebhook, secret: string): boolean {
  const given = headers["x-gitlab-token"];
  return typeof given === "string" && secret !== "" && timingSafeEqual(sha256(given), sha256(secret));
}

/** Digests have one length, so that the comparison's time tells nothing of the secret's. */
const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

function signatureIsRight({ headers, rawBody, now }: ReceivedWebhook, key: Buffer): boolean {
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
