import { closeSync, constants, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "libsql";
import { FireRunnerError } from "../../model/errors.js";
import type { Kind } from "../../model/records.js";
import { fileError } from "./file-error.js";
import { loadContents } from "./load.js";
import { openStoreFile, type StoreFile } from "./store-file.js";

/** What a backup says of itself. */
export interface BackupNote {
  /** The service's owner, and which key its secrets are sealed with (nothing of the key itself). */
  readonly owner: string;
  readonly keyId: string;
  readonly madeAt: number;
}

export interface Backup extends Partial<BackupNote> {
  readonly records: number;
  readonly bytes: number;
}

/**
 * What a restored store goes on with: what people declared and told. Everything else is read again from hosts and forges, as
 * after the loss of a store: what an old copy says of microVMs and jobs is not true any more.
 */
const keptKinds: readonly Kind[] = ["host", "image", "connection", "pool", "operation"];

/**
 * Writes a consistent copy of a store that is in use, in a file of its own (mode 0600). Nothing else is done meanwhile: some
 * tens of MB take well under a second. Rejects nothing, throws `FR-STORE`, and then leaves no file.
 */
export function copyStore({ database, path }: StoreFile, to: string, note: BackupNote): void {
  try {
    closeSync(openSync(to, "wx", 0o600));
  } catch (caught) {
    throw fileError(caught, "making the copy", to, true);
  }
  try {
    database.prepare("VACUUM INTO ?").run(to);
    const copy = new Database(to);
    try {
      copy.exec("CREATE TABLE backup (owner TEXT NOT NULL, keyId TEXT NOT NULL, madeAt INTEGER NOT NULL) STRICT");
      copy.prepare("INSERT INTO backup VALUES (?, ?, ?)").run(note.owner, note.keyId, note.madeAt);
    } finally {
      copy.close();
    }
  } catch (caught) {
    rmSync(to, { force: true });
    throw fileError(caught, `copying the store file ${path} to`, to, true);
  }
}

export interface RestoreOptions {
  readonly from: string;
  /** Where the service's store is, and whose it is. */
  readonly to: string;
  readonly owner: string;
  readonly keyId: string;
  /** Goes into the name under which the store that was there is kept. */
  readonly now: number;
}

export interface Restored {
  readonly backup: Backup;
  /** How many records the store goes on with. */
  readonly kept: number;
  /** Where the store is now that was there before. */
  readonly before: string | undefined;
}

/**
 * Puts a copy in the place of a stopped service's store; the one that was there is kept beside it. Refuses with `FR-STORE` a
 * store that is in use and a file that is no store or damaged, with `FR-STORE-NEWER` one of a newer FireRunner, with
 * `FR-STORE-SEALED` one of another key and with `FR-INVALID` one of another owner; then everything stays as it is.
 */
export function restoreStore({ from, to: givenTo, owner, keyId, now }: RestoreOptions): Restored {
  const to = resolve(givenTo);
  if (!existsSync(from)) throw new FireRunnerError("FR-NOT-FOUND", `there is no file ${from} to restore from`);
  refuseIfInUse(to);
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  const draft = `${to}.restoring`;
  try {
    rmSync(draft, { force: true });
    copyFileSync(from, draft, constants.COPYFILE_EXCL);
    const { backup, kept } = prepare(draft, from, { owner, keyId });
    const before = moveAside(to, now);
    renameSync(draft, to);
    sync(dirname(to));
    return { backup, kept, before };
  } catch (caught) {
    throw fileError(caught, "restoring the store file", to);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${draft}${suffix}`, { force: true });
  }
}

/** What a file made by `copyStore`, or the store file of a stopped service, holds. Throws as `restoreStore` does. */
export function readBackup(path: string, whose: Partial<Pick<BackupNote, "owner" | "keyId">> = {}): Backup {
  const copy = `${path}.checking`;
  try {
    copyFileSync(path, copy, constants.COPYFILE_EXCL);
    return prepare(copy, path, whose).backup;
  } catch (caught) {
    throw fileError(caught, "reading the backup", path);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${copy}${suffix}`, { force: true });
  }
}

/** Checks everything that the file holds and leaves in it what a restored store goes on with. */
function prepare(path: string, shown: string, whose: Partial<Pick<BackupNote, "owner" | "keyId">>): { backup: Backup; kept: number } {
  const file = openStoreFile(path);
  try {
    const { database } = file;
    if (database.prepare("PRAGMA integrity_check").raw(true).get()?.toString() !== "ok") {
      throw new FireRunnerError("FR-STORE", `the backup ${shown} is damaged`);
    }
    const isNoted = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'backup'").get() !== undefined;
    const note = isNoted ? (database.prepare("SELECT owner, keyId, madeAt FROM backup").get() as BackupNote) : undefined;
    refuseAnother(shown, note, whose);
    const { records } = loadContents(file, 0);
    const kept = records.filter(({ kind }) => keptKinds.includes(kind)).length;
    database.exec("DROP TABLE IF EXISTS backup");
    database.prepare(`DELETE FROM record WHERE kind NOT IN (${keptKinds.map(() => "?").join(", ")})`).run(...keptKinds);
    const told = note === undefined ? {} : { owner: note.owner, keyId: note.keyId, madeAt: note.madeAt };
    return { backup: { ...told, records: records.length, bytes: statSync(shown).size }, kept };
  } finally {
    file.close();
  }
}

function refuseAnother(path: string, note: BackupNote | undefined, { owner, keyId }: Partial<BackupNote>): void {
  if (note === undefined) return;
  if (owner !== undefined && note.owner !== owner) {
    throw new FireRunnerError("FR-INVALID", `the backup ${path} is of owner "${note.owner}", and the service file says "${owner}"`);
  }
  if (keyId !== undefined && note.keyId !== keyId) {
    throw new FireRunnerError(
      "FR-STORE-SEALED",
      `the backup ${path} was made with another key: bring back the key of that service, without which its microVMs are strangers`,
    );
  }
}

/** A damaged store is what people restore over: only one that somebody uses is refused. */
function refuseIfInUse(to: string): void {
  if (!existsSync(to)) return;
  try {
    openStoreFile(to).close();
  } catch (caught) {
    const reason = caught instanceof FireRunnerError ? caught.details.reason : undefined;
    if (typeof reason === "string" && reason.startsWith("SQLITE_BUSY")) {
      throw new FireRunnerError("FR-STORE", `the store file ${to} is in use: stop the service first`, { cause: caught });
    }
  }
}

function moveAside(to: string, now: number): string | undefined {
  if (!existsSync(to)) return undefined;
  const before = `${to}.before-${new Date(now).toISOString().replace(/[-:]|\.\d+/g, "")}`;
  for (const suffix of ["", "-wal", "-journal"]) if (existsSync(`${to}${suffix}`)) renameSync(`${to}${suffix}`, `${before}${suffix}`);
  return before;
}

function sync(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
