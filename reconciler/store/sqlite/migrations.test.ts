import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import Database from "libsql";
import { describe, expect, it } from "vitest";
import { storeWorld } from "../store-world.fixture.js";
import { editFile, temporaryPath } from "./files.fixture.js";
import { migrate, migrations } from "./migrations.js";
import { openSqliteStore } from "./sqlite-store.js";

const steps = [
  "CREATE TABLE first (a); INSERT INTO first VALUES (1)",
  "ALTER TABLE first ADD COLUMN b DEFAULT 2",
  "CREATE TABLE third AS SELECT a + b AS c FROM first",
] as const;

function fileAt(version: number): string {
  const path = temporaryPath();
  mkdirSync(dirname(path), { recursive: true });
  const database = new Database(path);
  migrate(database, path, steps.slice(0, version));
  database.close();
  return path;
}

function run(path: string, list: readonly string[]): void {
  const database = new Database(path);
  try {
    migrate(database, path, list);
  } finally {
    database.close();
  }
}

const version = (path: string) => editFile(path, "PRAGMA user_version")[0];

describe("migrations", () => {
  it.each([0, 1, 2, 3])("bring a file of version %i to the newest", (from) => {
    const path = fileAt(from);
    run(path, steps);
    expect(version(path)).toMatchObject({ user_version: 3 });
    expect(editFile(path, "SELECT c FROM third")).toEqual([expect.objectContaining({ c: 3 })]);
    run(path, steps);
    expect(version(path)).toMatchObject({ user_version: 3 });
  });

  it("leave a file whole when one of them fails", () => {
    const path = fileAt(1);
    expect(() => run(path, [...steps.slice(0, 2), "CREATE TABLE first (again)"])).toThrow(/first already exists/);
    expect(version(path)).toMatchObject({ user_version: 1 });
    expect(editFile(path, "SELECT * FROM first").map((row) => Object.keys(row as object))).toEqual([expect.not.arrayContaining(["b"])]);
    run(path, steps);
    expect(version(path)).toMatchObject({ user_version: 3 });
  });

  it("refuse a newer file with both versions, and leave it as it is", async () => {
    const path = temporaryPath();
    await openSqliteStore({ path, ...storeWorld() }).stop();
    editFile(path, `PRAGMA user_version = ${migrations.length + 41}`);
    const before = readFileSync(path);
    expect(() => openSqliteStore({ path, ...storeWorld() })).toThrow(
      expect.objectContaining({
        code: "FR-STORE-NEWER",
        message: expect.stringMatching(new RegExp(`has version ${migrations.length + 41} .* up to ${migrations.length}: upgrade`)),
      }),
    );
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});
