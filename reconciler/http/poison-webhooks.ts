import { createHash } from "node:crypto";
import { type DeadLetter, failureNote, keptFailures } from "../model/dead-letter.js";
import { FireRunnerError } from "../model/errors.js";
import type { Store } from "../store/port.js";

/** So many different webhooks of a connection get a letter each; the others share one. */
const lettersPerConnection = 20;
const maxAttempts = 5;

/** Whether a webhook failed for what it holds: neither refused as none of GitLab's, nor for the sake of the store. */
export const isPoison = (caught: unknown): boolean =>
  !(caught instanceof FireRunnerError) || caught.code === "FR-INTERNAL" || caught.code === "FR-INVALID";

/**
 * Writes down a webhook that the service cannot digest, by its digest alone: its body may hold values of people's variables.
 * Rejects with `FR-STORE` when it cannot be written.
 */
export async function setWebhookAside(
  { store, now }: { readonly store: Pick<Store, "get" | "list" | "commit">; readonly now: number },
  connection: string,
  body: Buffer,
  caught: unknown,
): Promise<void> {
  const bodySha256 = createHash("sha256").update(body).digest("hex");
  const error = FireRunnerError.from(caught, "FR-INTERNAL", "reading a webhook");
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const key = keyFor(store, connection, bodySha256);
    const stored = store.get("deadLetter", key);
    const value: DeadLetter = {
      action: "webhook",
      target: { connection, bodySha256 },
      tried: "never",
      attempts: (stored?.value.attempts ?? 0) + 1,
      firstFailureAt: stored?.value.firstFailureAt ?? now,
      lastFailureAt: now,
      parkedAt: stored?.value.parkedAt ?? now,
      failures: [...(stored?.value.failures ?? []), failureNote(now, error)].slice(-keptFailures),
    };
    const message = `a webhook of connection "${connection}" (${body.length} bytes, sha256 ${bodySha256}) was set aside: ${error.message}`;
    const events = stored === undefined ? [{ at: now, type: "DeadLetter", subject: { kind: "deadLetter", name: key }, message }] : [];
    const write = { kind: "deadLetter", key, value, expect: stored?.revision ?? "absent" } as const;
    if ((await store.commit({ writes: [write], events })).outcome === "committed") return;
  }
}

function keyFor(store: Pick<Store, "get" | "list">, connection: string, bodySha256: string): string {
  const key = `webhook:${connection}/${bodySha256.slice(0, 16)}`;
  if (store.get("deadLetter", key) !== undefined) return key;
  const own = store.list("deadLetter").filter(({ value }) => value.action === "webhook" && value.target.connection === connection);
  return own.length < lettersPerConnection ? key : `webhook:${connection}/others`;
}
