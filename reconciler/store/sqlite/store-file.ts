import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "libsql";
import { FireRunnerError } from "../../model/errors.js";
import { fileError } from "./file-error.js";
import { migrate } from "./migrations.js";

/** How long an opener waits for the one before it: a service that is being restarted may still be closing. */
const busyMs = 1_000;

/** A store file that this process has for itself. */
export interface StoreFile {
  readonly path: string;
  readonly database: Database.Database;
  /** Brings everything into the one file and lets others have it. */
  close(): void;
}

/**
 * Opens or makes the file: mode 0600, in a directory of mode 0700 if that is made too. The file belongs to this process
 * until it is closed or the process ends, however that happens: the lock is the operating system's. `FR-STORE` when it
 * is in use or cannot be used, `FR-STORE-NEWER` when a newer FireRunner wrote it.
 */
export function openStoreFile(givenPath: string): StoreFile {
  // An absolute path is never taken for a URL or for SQLite's special names.
  const path = resolve(givenPath);
  try {
    makePrivate(path);
    const database = openDatabase(path);
    return { path, database, close: () => closeDatabase(database, "PRAGMA journal_mode = DELETE;") };
  } catch (caught) {
    throw fileError(caught, "opening the store file", path);
  }
}

function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (caught) {
    // An existing file is never opened here: closing it again would take away a lock that this process may have on it.
    if (!(caught instanceof Error && "code" in caught && caught.code === "EEXIST")) throw caught;
    for (const file of [path, `${path}-wal`]) {
      const mode = statSync(file, { throwIfNoEntry: false })?.mode;
      if (mode !== undefined && (mode & 0o077) !== 0) chmodSync(file, 0o600);
    }
  }
}

function openDatabase(path: string): Database.Database {
  const database = new Database(path, { timeout: busyMs });
  try {
    // The lock that comes with the first transaction stays.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    migrate(database, path);
    useWriteAheadLog(database);
    return database;
  } catch (caught) {
    closeDatabase(database, "");
    throw caught;
  }
}

function useWriteAheadLog(database: Database.Database): void {
  const [row] = database.pragma("journal_mode = WAL") as readonly { readonly journal_mode: string }[];
  if (row?.journal_mode !== "wal") {
    throw new FireRunnerError("FR-STORE", `the store's file system does not bear a write-ahead log (journal mode ${row?.journal_mode})`);
  }
  database.exec("PRAGMA synchronous = FULL");
}

/**
 * Statements that JavaScript still holds keep the connection behind a closed database open, and its lock with it, so the
 * lock is given back by name; from a file with a write-ahead log only after `leaveLog`. Should that fail (the disk may be
 * full), nothing is lost: the next opener reads the log, and the lock ends with the process.
 */
function closeDatabase(database: Database.Database, leaveLog: string): void {
  try {
    if (database.inTransaction) database.exec("ROLLBACK");
    database.exec(`PRAGMA busy_timeout = 0; ${leaveLog} PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_schema LIMIT 1`);
  } catch {
    // As said above.
  }
  database.close();
}
