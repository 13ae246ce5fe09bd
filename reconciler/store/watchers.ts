import { FireRunnerError } from "../model/errors.js";
import type { Step } from "./mirror.js";
import type { Change } from "./port.js";

/** Who is told of what changed. */
export class Watchers {
  private readonly entries = new Set<{ readonly listener: (change: Change) => void }>();

  /** `onFault` hears of those that threw. */
  constructor(private readonly onFault: (error: FireRunnerError) => void) {}

  /** The returned function takes the listener away again. */
  add(listener: (change: Change) => void): () => void {
    const entry = { listener };
    this.entries.add(entry);
    return () => {
      this.entries.delete(entry);
    };
  }

  clear(): void {
    this.entries.clear();
  }

  /** Tells each of them; one that throws does not keep the others from hearing it. */
  tell({ revision, replaced, events }: Step): void {
    if (this.entries.size === 0) return;
    const change: Change = { revision, changed: replaced.map(({ kind, key }) => ({ kind, key })), events };
    for (const entry of [...this.entries]) {
      // An earlier one may have ended it just now.
      if (!this.entries.has(entry)) continue;
      try {
        entry.listener(change);
      } catch (caught) {
        this.onFault(FireRunnerError.from(caught, "FR-INTERNAL", `a watcher of the store, told of revision ${revision},`));
      }
    }
  }
}

/** Where faults of watchers go when nobody else takes them: they must not be lost, nor end the process. */
export const warnOfFault = (error: FireRunnerError): void => process.emitWarning(error);
