import { FireRunnerError } from "../model/errors.js";
import type { GuestReport } from "../model/front-door.js";
import type { Store } from "../store/port.js";

/** The leader removes reports and other calls of the same guest change them: more than this many in a row is no chance. */
const attempts = 8;

/**
 * Changes a guest's report by compare-and-set. `change` is asked again when somebody else wrote in between; it answers
 * `undefined` when there is nothing to write. Settles when the report is durable; throws `FR-CONFLICT` after eight
 * attempts in vain.
 */
export async function updateReport(
  store: Pick<Store, "get" | "commit">,
  vm: string,
  change: (report: GuestReport | undefined) => GuestReport | undefined,
): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const stored = store.get("guestReport", vm);
    const value = change(stored?.value);
    if (value === undefined) return;
    const expect = stored?.revision ?? "absent";
    const { outcome } = await store.commit({ writes: [{ kind: "guestReport", key: vm, value, expect }] });
    if (outcome === "committed") return;
  }
  throw new FireRunnerError("FR-CONFLICT", `the report of the guest of microVM "${vm}" changed ${attempts} times while it was written`, {
    retryable: true,
  });
}
