import { createHmac } from "node:crypto";
import type { Random } from "../../../model/clock.js";

/** What a delivery's headers are made of. */
export interface Delivery {
  /** `Job Hook`, `Pipeline Hook`. */
  readonly event: string;
  readonly body: string;
  /** The same when the delivery is repeated. */
  readonly idempotencyKey: string;
  readonly token: string | undefined;
  readonly signingToken: string | undefined;
  readonly customHeaders: readonly { readonly key: string; readonly value: string }[];
}

/** GitLab's headers of a delivery. `now` is in milliseconds since the epoch. */
export function headersOf(
  delivery: Delivery,
  instance: string,
  version: string,
  now: number,
  random: Random,
): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(delivery.customHeaders.map(({ key, value }) => [key, value])),
    "Content-Type": "application/json",
    "User-Agent": `GitLab/${version}`,
    "X-Gitlab-Event": delivery.event,
    // GitLab makes a new one for each request, whatever its name says.
    "X-Gitlab-Webhook-UUID": uuid(random),
    "X-Gitlab-Event-UUID": uuid(random),
    "X-Gitlab-Instance": instance,
    "Idempotency-Key": delivery.idempotencyKey,
    ...(delivery.token === undefined ? {} : { "X-Gitlab-Token": delivery.token }),
    ...signatureOf(delivery, Math.floor(now / 1000)),
  };
}

/** A random UUID, version 4. */
export function uuid(random: Random): string {
  const hex = random.hex(16);
  const variant = "89ab"[Number.parseInt(hex.charAt(16), 16) % 4] ?? "8";
  const digits = `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`;
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join("-");
}

/** As Standard Webhooks signs: HMAC-SHA-256 over id, time and body. */
function signatureOf({ signingToken, idempotencyKey, body }: Delivery, timestamp: number): Readonly<Record<string, string>> {
  if (signingToken === undefined) return {};
  const key = Buffer.from(signingToken.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${idempotencyKey}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": idempotencyKey, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${signature}` };
}
