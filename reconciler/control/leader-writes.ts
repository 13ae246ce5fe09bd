import { FireRunnerError } from "../model/errors.js";
import type { NewEvent } from "../model/event.js";
import type { Kind, Records } from "../model/records.js";
import type { Batch, CommitResult, Store, Write } from "../store/port.js";

const tries = 8;

/** Writes of the leader: all of them carry its epoch, so that a deposed leader changes nothing. */
export class LeaderWrites {
  constructor(
    private readonly store: Store,
    private readonly epoch: string,
    private readonly onDeposed: () => void,
  ) {}

  async commit(batch: Omit<Batch, "epoch">): Promise<CommitResult> {
    const result = await this.store.commit({ ...batch, epoch: this.epoch });
    if (result.outcome === "deposed") this.onDeposed();
    return result;
  }

  /**
   * Changes one record by what it holds now: `change` gets the current value and returns the next one, `null` to delete
   * it, or `undefined` to leave it alone. It is called again when somebody else was faster, and so is `also`, which gives
   * what is to be written in the same commit.
   */
  async update<K extends Kind>(
    kind: K,
    key: string,
    change: (current: Records[K] | undefined) => Records[K] | null | undefined,
    events: readonly NewEvent[] = [],
    also: () => readonly Write[] = () => [],
  ): Promise<void> {
    for (let attempt = 0; attempt < tries; attempt++) {
      const stored = this.store.get(kind, key);
      const next = change(stored?.value);
      const own = next === undefined ? [] : [{ kind, key, value: next, expect: stored?.revision ?? "absent" } as Write];
      const writes = [...own, ...also()];
      if (writes.length === 0) return;
      const { outcome } = await this.commit({ writes, events: own.length === 0 ? [] : events });
      if (outcome === "committed") return;
      if (outcome === "deposed") throw new FireRunnerError("FR-NOT-LEADER", `writing ${kind} "${key}" was refused: another replica leads`);
    }
    throw new FireRunnerError("FR-CONFLICT", `writing ${kind} "${key}" met another writer ${tries} times in a row`, { retryable: true });
  }
}
