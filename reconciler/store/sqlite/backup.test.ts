import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { event, hint, put, storeWorld } from "../store-world.fixture.js";
import { readBackup, restoreStore } from "./backup.js";
import { editFile, temporaryPath } from "./files.fixture.js";
import { migrations } from "./migrations.js";
import { openSqliteStore } from "./sqlite-store.js";

const note = { owner: "ada", keyId: "k".repeat(24), madeAt: 1_700_000_000_000 };
const restoreTo = (to: string, from: string, whose = {}) => restoreStore({ from, to, ...note, now: 1_700_000_060_000, ...whose });
const cordon = {
  kind: "operation",
  key: "host/rack-1/cordon",
  value: { subject: { kind: "host", name: "rack-1" }, operation: "cordon", by: "ada", at: 1 },
  expect: "any",
} as const;

/** A path in a directory that is there. */
function freePath(): string {
  const path = temporaryPath();
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** A backup of a store with an operation and a hint, and the path of that store, which is stopped. */
async function aBackup(): Promise<{ readonly store: string; readonly backup: string }> {
  const path = temporaryPath();
  const store = openSqliteStore({ path, ...storeWorld() });
  await store.commit({ writes: [cordon, put("a", hint(1))], events: [event("x")] });
  await store.commit({ writes: [put("a", hint(2))] });
  const backup = freePath();
  store.copyTo(backup, note);
  // The store goes on while the copy stays as it is.
  await store.commit({ writes: [put("b", hint(3)), { ...cordon, value: null }] });
  expect(store.count("hint")).toBe(2);
  await store.stop();
  return { store: path, backup };
}

describe("a backup", () => {
  it("holds what was committed when it was made, for its owner alone, and says whose it is", async () => {
    const { backup } = await aBackup();
    expect(statSync(backup).mode & 0o777).toBe(0o600);
    expect(readBackup(backup)).toEqual({ ...note, records: 2, bytes: statSync(backup).size });
    expect(editFile(backup, "SELECT key FROM record ORDER BY key").map((row) => (row as { key: string }).key)).toEqual([
      "a",
      "host/rack-1/cordon",
    ]);
    expect(readdirSync(dirname(backup))).toEqual(["store.db"]);
  });

  it("is not made over a file that is there, nor where it cannot be", async () => {
    const { backup } = await aBackup();
    const store = openSqliteStore({ path: temporaryPath(), ...storeWorld() });
    const before = readFileSync(backup);
    expect(() => store.copyTo(backup, note)).toThrow(/making the copy .*EEXIST/);
    expect(() => store.copyTo(`${backup}/below`, note)).toThrow(expect.objectContaining({ code: "FR-STORE" }));
    expect(readFileSync(backup).equals(before)).toBe(true);
    await store.stop();
  });
});

describe("restoring", () => {
  it("brings back what was declared and told, forgets what moves, and keeps the store that was there", async () => {
    const { store: path, backup } = await aBackup();
    const restored = restoreTo(path, backup);
    expect(restored).toEqual({
      backup: { ...note, records: 2, bytes: statSync(backup).size },
      kept: 1,
      before: `${path}.before-20231114T221420Z`,
    });
    const store = openSqliteStore({ path, ...storeWorld() });
    expect(store.list("operation").map(({ key }) => key)).toEqual(["host/rack-1/cordon"]);
    expect([store.count("hint"), store.events({ after: 0, limit: 9 }).length]).toEqual([0, 1]);
    await store.stop();
    expect(editFile(path, "SELECT name FROM sqlite_schema WHERE name = 'backup'")).toEqual([]);
    expect(readdirSync(dirname(path)).toSorted()).toEqual(["store.db", "store.db.before-20231114T221420Z"]);
    const old = openSqliteStore({ path: restored.before ?? "", ...storeWorld() });
    expect([old.count("hint"), old.count("operation")]).toEqual([2, 0]);
    await old.stop();
  });

  it("works where no store was, over a damaged one, and from the store file of a stopped service", async () => {
    const { store, backup } = await aBackup();
    const fresh = temporaryPath();
    expect(restoreTo(fresh, backup).before).toBeUndefined();
    writeFileSync(fresh, "not a database ".repeat(100));
    expect(restoreTo(fresh, backup).before).toBeDefined();
    expect(restoreTo(temporaryPath(), store)).toMatchObject({ kept: 0, backup: { records: 2 } });
  });

  it("refuses a store that is in use", async () => {
    const { store: path, backup } = await aBackup();
    const running = openSqliteStore({ path, ...storeWorld() });
    expect(() => restoreTo(path, backup)).toThrow(/is in use: stop the service first/);
    expect(running.count("hint")).toBe(2);
    await running.stop();
  });

  it.each([
    ["another owner's", { owner: "bob" }, "FR-INVALID", /is of owner "ada", and the service file says "bob"/],
    ["one of another key", { keyId: "x".repeat(24) }, "FR-STORE-SEALED", /was made with another key: bring back the key/],
  ])("refuses %s, and leaves everything as it was", async (_what, whose, code, message) => {
    const { store: path, backup } = await aBackup();
    const records = () => editFile(path, "SELECT * FROM record");
    const before = records();
    expect(() => restoreTo(path, backup, whose)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
    expect(records()).toEqual(before);
    expect(readdirSync(dirname(path))).toEqual(["store.db"]);
  });

  it("refuses what a newer FireRunner wrote, what is damaged, what is something else and what is not there", async () => {
    const { store: path, backup } = await aBackup();
    const whole = readFileSync(backup);
    editFile(backup, `PRAGMA user_version = ${migrations.length + 1}`);
    expect(() => restoreTo(path, backup)).toThrow(expect.objectContaining({ code: "FR-STORE-NEWER" }));
    writeFileSync(backup, whole.subarray(0, whole.length - 5_000));
    expect(() => restoreTo(path, backup)).toThrow(expect.objectContaining({ code: "FR-STORE" }));
    writeFileSync(backup, "something else ".repeat(100));
    expect(() => restoreTo(path, backup)).toThrow(/restoring the store file|opening the store file/);
    expect(() => restoreTo(path, `${backup}.gone`)).toThrow(/there is no file .* to restore from/);
    expect(existsSync(path)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(["store.db"]);
  });
});
