import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterAll } from "vitest";

const made: string[] = [];

afterAll(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A path in a directory of its own, which is removed after the tests of this file. */
export function temporaryPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "firerunner-store-"));
  made.push(directory);
  return join(directory, "state", "store.db");
}

/** Runs SQL on a file that no store has open, and gives the rows of the last statement. */
export function editFile(path: string, sql: string): unknown[] {
  const database = new Database(path);
  try {
    const statements = sql.split("; ");
    for (const statement of statements.slice(0, -1)) database.exec(statement);
    return database.prepare(statements.at(-1) ?? "").all();
  } finally {
    database.close();
  }
}
