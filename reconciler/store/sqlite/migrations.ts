import type Database from "libsql";
import { FireRunnerError } from "../../model/errors.js";

/** "FRun": marks a file as FireRunner's own. */
const applicationId = 0x46_52_75_6e;

/** What brings a file from one version of the tables to the next. The n-th of the list (from 0) leads to version n + 1. */
export type Migration = string;

/** Every change that the tables have gone through. Entries are only ever added: files of every version are out there. */
export const migrations: readonly Migration[] = [
  `CREATE TABLE record (
     kind TEXT NOT NULL,
     key TEXT NOT NULL,
     revision INTEGER NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (kind, key)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE event (seq INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;
   CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   INSERT INTO counter VALUES ('revision', 0), ('seq', 0), ('takeovers', 0);`,
];

/**
 * Brings the tables to the newest version, all steps in one transaction. Refuses with `FR-STORE-NEWER` a file of a later
 * version than `steps` lead to, and with `FR-STORE` a database of something else; both stay as they are.
 */
export function migrate(database: Database.Database, path: string, steps: readonly Migration[] = migrations): void {
  const version = pragma(database, "user_version");
  if (pragma(database, "application_id") !== applicationId && !isEmpty(database)) {
    throw new FireRunnerError("FR-STORE", `the store file ${path} is a database of another program: give the store a path of its own`);
  }
  if (version > steps.length) {
    throw new FireRunnerError(
      "FR-STORE-NEWER",
      `the store file ${path} has version ${version} and this FireRunner knows versions up to ${steps.length}: upgrade FireRunner`,
      { details: { found: version, known: steps.length } },
    );
  }
  if (version === steps.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const step of steps.slice(version)) database.exec(step);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${steps.length}; COMMIT`);
  } catch (caught) {
    if (database.inTransaction) database.exec("ROLLBACK");
    throw caught;
  }
}

function isEmpty(database: Database.Database): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
}

function pragma(database: Database.Database, name: "user_version" | "application_id"): number {
  const [row] = database.pragma(name) as readonly Readonly<Record<string, number>>[];
  return row?.[name] ?? 0;
}
