import type { Clock, Random } from "../../model/clock.js";
import type { FireRunnerError } from "../../model/errors.js";
import { defaultEventRetention } from "../event-log.js";
import { GroupedStore } from "../grouped-store.js";
import { Mirror } from "../mirror.js";
import type { Store } from "../port.js";
import { warnOfFault } from "../watchers.js";
import { type BackupNote, copyStore } from "./backup.js";
import { createJournal } from "./journal.js";
import { loadContents } from "./load.js";
import { openStoreFile, type StoreFile } from "./store-file.js";

export interface SqliteStoreOptions {
  /** The store's file; it and its directory are made when they are not there. */
  readonly path: string;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  /** How many events are kept; 50,000 when left out. */
  readonly eventRetention?: number;
  /** Hears of watchers that threw; without it they become warnings of the process. */
  readonly onFault?: (error: FireRunnerError) => void;
}

/** A store that can be copied while it is in use. */
export interface CopyableStore extends Store {
  /** Writes everything that was committed into a new file. Throws `FR-STORE`, and then leaves none. */
  copyTo(path: string, note: BackupNote): void;
  /** The store's own file. */
  readonly path: string;
}

/** Whether a store is in a file of its own, which can be copied. */
export const isCopyable = (store: Store): store is CopyableStore => "copyTo" in store;

/**
 * Opens the embedded store: one SQLite file, used by this process alone, read whole into memory here. A commit settles
 * when it would survive a loss of power; what arrives within one turn of the event loop is written together.
 *
 * A lease does not outlive the process that held it: having the file proves that its holder is gone. Only the count of
 * take-overs is kept, so that no epoch comes twice.
 *
 * Throws `FR-STORE` (in use, unusable, or a broken record, which is named) or `FR-STORE-NEWER`.
 */
export function openSqliteStore(options: SqliteStoreOptions): CopyableStore {
  return storeOn(openStoreFile(options.path), options);
}

/** The store over a file that is open already. */
export function storeOn(file: StoreFile, options: Omit<SqliteStoreOptions, "path">): CopyableStore {
  const { clock, random, onFault = warnOfFault, eventRetention = defaultEventRetention } = options;
  try {
    const mirror = new Mirror(loadContents(file, eventRetention), eventRetention);
    const store = new GroupedStore({ mirror, journal: createJournal(file), clock, random, schedule: setImmediate, onFault });
    return Object.assign(store, { path: file.path, copyTo: (path: string, note: BackupNote) => copyStore(file, path, note) });
  } catch (caught) {
    file.close();
    throw caught;
  }
}
