import type { DeclaredKind } from "../model/declared.js";
import { FireRunnerError } from "../model/errors.js";
import type { Operation } from "../model/front-door.js";
import type { Store, Write } from "../store/port.js";
import { forgettingAll } from "./operations.js";
import { whatNeeds } from "./references.js";

/**
 * What a removal does when the record is still in use. `refuse` says what uses it. `drain` (hosts and pools) lets it
 * empty: nothing new comes, what idles goes, jobs end. `forget` (hosts) gives up what is on a machine that never comes back.
 */
export const whenUsedValues = ["refuse", "drain", "forget"] as const;
export type WhenUsed = (typeof whenUsedValues)[number];

/** What a removal may ask of each kind. */
const possible: Readonly<Record<DeclaredKind, readonly WhenUsed[]>> = {
  host: ["refuse", "drain", "forget"],
  pool: ["refuse", "drain"],
  image: ["refuse"],
  connection: ["refuse"],
};

/** A drain ends by itself when nobody asks for the removal any more, so that an interrupted one leaves no idle pool behind. */
const renewedForMs = 60_000;

interface Removed {
  readonly store: Pick<Store, "get" | "list">;
  readonly now: number;
  readonly kind: DeclaredKind;
  readonly name: string;
  readonly revision: number;
}

/** The writes of a removal, and what it still waits for: nothing when the record goes with these writes. */
export function buildRemoval(
  removed: Removed,
  whenUsed: WhenUsed,
): { readonly writes: readonly Write[]; readonly result: { readonly usedBy: readonly string[] } } {
  const { store, kind, name, revision } = removed;
  if (!possible[kind].includes(whenUsed)) {
    throw new FireRunnerError(
      "FR-INVALID",
      `whenUsed: "${whenUsed}" is refused: of ${kind}s it must be one of ${possible[kind].join(", ")}`,
    );
  }
  const usedBy = whatNeeds(store, kind, name);
  if (usedBy.length === 0) {
    const gone: Write = { kind, key: name, value: null, expect: revision };
    return { writes: [gone, ...forgettingAll(store, kind, name)], result: { usedBy } };
  }
  if (whenUsed === "refuse" || kind === "image" || kind === "connection") {
    throw new FireRunnerError("FR-REFERENCED", `${kind} "${name}" is still used by ${usedBy.join(", ")}; remove or change that first`, {
      details: { usedBy },
    });
  }
  const value: Operation = {
    subject: { kind, name },
    operation: whenUsed,
    by: "its removal",
    at: removed.now,
    until: removed.now + renewedForMs,
  };
  return { writes: [{ kind: "operation", key: `removal/${kind}/${name}`, value, expect: "any" }], result: { usedBy } };
}
