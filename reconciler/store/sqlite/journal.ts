import type { Event } from "../../model/event.js";
import type { Journal, JournalEntry } from "../grouped-store.js";
import type { Replacement } from "../mirror.js";
import { fileError } from "./file-error.js";
import type { StoreFile } from "./store-file.js";

/**
 * Writes each group as one transaction, safe on disk when `write` returns. A failure is a retryable `FR-STORE`: the
 * transaction is void, and the next one begins as if it had not been.
 */
export function createJournal(file: StoreFile): Journal {
  const { database, path } = file;
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const putRecord = database.prepare(
    `INSERT INTO record (kind, key, revision, value) VALUES (?, ?, ?, ?)
     ON CONFLICT (kind, key) DO UPDATE SET revision = excluded.revision, value = excluded.value`,
  );
  const deleteRecord = database.prepare("DELETE FROM record WHERE kind = ? AND key = ?");
  const addEvent = database.prepare("INSERT INTO event (seq, value) VALUES (?, ?)");
  const forgetEvents = database.prepare("DELETE FROM event WHERE seq <= ?");
  const setCounter = database.prepare("UPDATE counter SET value = ? WHERE name = ?");

  function replace({ kind, key, after }: Replacement): void {
    if (after === undefined) deleteRecord.run(kind, key);
    else putRecord.run(kind, key, after.revision, JSON.stringify(after.value));
  }

  function add({ seq, ...event }: Event): void {
    addEvent.run(seq, JSON.stringify(event));
  }

  function writeAll({ steps, revision, lastSeq, takeovers, forgetEventsTo }: JournalEntry): void {
    for (const step of steps) {
      for (const replacement of step.replaced) replace(replacement);
      for (const event of step.events) add(event);
    }
    if (forgetEventsTo !== undefined) forgetEvents.run(forgetEventsTo);
    setCounter.run(revision, "revision");
    setCounter.run(lastSeq, "seq");
    setCounter.run(takeovers, "takeovers");
  }

  return {
    write(entry) {
      try {
        begin.run();
        writeAll(entry);
        commit.run();
      } catch (caught) {
        // Some failures (a full disk) have ended the transaction already.
        if (database.inTransaction) database.exec("ROLLBACK");
        throw fileError(caught, "writing to the store file", path, true);
      }
    },
    close: () => file.close(),
  };
}
