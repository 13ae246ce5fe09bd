import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Identity } from "../../model/identity.js";
import { createSealer } from "../sealer.js";
import { storeContract } from "../store-contract.fixture.js";
import { storeModel } from "../store-model.fixture.js";
import { event, hint, put, revisionOf, storeWorld } from "../store-world.fixture.js";
import { editFile, temporaryPath } from "./files.fixture.js";
import { openSqliteStore, storeOn } from "./sqlite-store.js";
import { openStoreFile } from "./store-file.js";

const open = (path: string, eventRetention = 1_000) => openSqliteStore({ path, ...storeWorld(), eventRetention });

describe("the SQLite store", () => {
  storeContract((world, eventRetention = 1_000) => openSqliteStore({ path: temporaryPath(), ...world, eventRetention }));

  const paths = new WeakMap<object, string>();
  storeModel({
    runs: 25,
    open: (world) => {
      const path = temporaryPath();
      paths.set(world, path);
      return openSqliteStore({ path, ...world });
    },
    reopen: async (store, world) => {
      await store.stop();
      return openSqliteStore({ path: paths.get(world) ?? "", ...world });
    },
  });
});

describe("a store file", () => {
  it("brings back records, revisions and events, and goes on counting", async () => {
    const path = temporaryPath();
    const first = open(path);
    await first.commit({ writes: [put("a"), put("b", hint(2)), put("c")], events: [event("x", 'it\'s "quoted" – \0 ü')] });
    await first.commit({ writes: [put("a", hint(3)), put("c", null)] });
    const before = { hints: first.list("hint"), events: first.events({ after: 0, limit: 9 }) };
    await first.stop();

    const second = open(path);
    expect({ hints: second.list("hint"), events: second.events({ after: 0, limit: 9 }) }).toEqual(before);
    expect(revisionOf(await second.commit({ writes: [put("d")], events: [event("y")] }))).toBe(3);
    expect(second.events({ after: 1, limit: 9 }).map(({ seq }) => seq)).toEqual([2]);
    await second.stop();
  });

  it("never gives a revision or a number twice, even when everything of them is gone", async () => {
    const path = temporaryPath();
    const first = open(path, 10);
    for (let n = 0; n < 30; n++) await first.commit({ writes: [put("a", n % 2 === 0 ? hint(1) : null)], events: [event(String(n))] });
    await first.stop();
    editFile(path, "DELETE FROM event");

    const second = open(path, 10);
    expect(second.events({ after: 0, limit: 9 })).toEqual([]);
    expect(revisionOf(await second.commit({ writes: [put("a")], events: [event("next")] }))).toBe(31);
    expect(second.events({ after: 0, limit: 9 }).map(({ seq }) => seq)).toEqual([31]);
    await second.stop();
  });

  it("keeps as many events on disk as in memory", async () => {
    const path = temporaryPath();
    const first = open(path, 20);
    for (let n = 1; n <= 100; n++) await first.commit({ writes: [], events: [event(String(n))] });
    const kept = first.events({ after: 0, limit: 1_000 });
    await first.stop();
    const [row] = editFile(path, "SELECT count(*) AS kept FROM event") as { kept: number }[];
    expect(row?.kept).toBe(kept.length);
    const second = open(path, 20);
    expect(second.events({ after: 0, limit: 1_000 })).toEqual(kept.slice(-20));
    await second.stop();
  });

  it("frees the lease of a process that is gone, and its epoch never comes again", async () => {
    const path = temporaryPath();
    const first = open(path);
    const old = await first.acquireLease("a", 60_000);
    await first.stop();
    const second = open(path);
    const next = await second.acquireLease("b", 60_000);
    expect(next?.epoch).toMatch(/^2-/);
    expect(old?.epoch).toMatch(/^1-/);
    expect((await second.commit({ writes: [put("a")], epoch: old?.epoch ?? "" })).outcome).toBe("deposed");
    await second.stop();
  });

  it("and its directory are for their owner alone, and a looser file is made so", async () => {
    const path = join(temporaryPath(), "deep", "store.db");
    await open(path).stop();
    const mode = (file: string) => statSync(file).mode & 0o777;
    expect([mode(path), mode(join(path, "..")), mode(join(path, "..", ".."))]).toEqual([0o600, 0o700, 0o700]);
    chmodSync(path, 0o644);
    const again = open(path);
    await again.commit({ writes: [put("a")] });
    expect(readdirSync(join(path, "..")).map((file) => mode(join(path, "..", file)))).toEqual([0o600, 0o600]);
    await again.stop();
    expect(readdirSync(join(path, ".."))).toEqual(["store.db"]);
  });

  it("belongs to one store at a time, within a process as well", async () => {
    const path = temporaryPath();
    const first = open(path);
    await first.commit({ writes: [put("a")] });
    expect(() => open(path)).toThrow(
      expect.objectContaining({ code: "FR-STORE", message: expect.stringMatching(/opening the store file \/.*another process uses it/) }),
    );
    await first.commit({ writes: [put("b")] });
    await first.stop();
    const second = open(path);
    expect(second.count("hint")).toBe(2);
    await second.stop();
  });

  it("with a broken record is refused by kind and key, and is left as it is", async () => {
    const path = temporaryPath();
    const first = open(path);
    await first.commit({ writes: [put("good"), put("gl/1/2")] });
    await first.stop();
    const cases = [
      ["UPDATE record SET value = '{\"connection' WHERE key = 'gl/1/2'", /hint "gl\/1\/2" is not JSON/],
      [
        "UPDATE record SET value = '{\"connection\":\"gl\"}' WHERE key = 'gl/1/2'",
        /hint "gl\/1\/2" is not a record.*projectId: is missing/,
      ],
      ["UPDATE record SET kind = 'dog' WHERE key = 'gl/1/2'", /dog "gl\/1\/2" is of a kind that this FireRunner does not know/],
      ["DELETE FROM record WHERE kind = 'dog'; INSERT INTO event VALUES (0, '{}')", /event 0 is not an event/],
      ["DELETE FROM event; DELETE FROM counter WHERE name = 'seq'", /counter "seq" is missing/],
    ] as const;
    for (const [sql, message] of cases) {
      editFile(path, sql);
      const opening = () => open(path);
      expect(opening).toThrow(message);
      expect(opening).toThrow(expect.objectContaining({ code: "FR-STORE" }));
    }
  });

  it("that is something else is refused", () => {
    const text = temporaryPath();
    mkdirSync(join(text, ".."), { recursive: true });
    writeFileSync(text, "not a database ".repeat(100));
    expect(() => open(text)).toThrow(/opening the store file .*not a database: it is not a store/);
    expect(readFileSync(text, "utf8")).toBe("not a database ".repeat(100));

    const foreign = temporaryPath();
    mkdirSync(join(foreign, ".."), { recursive: true });
    editFile(foreign, "CREATE TABLE theirs (a)");
    expect(() => open(foreign)).toThrow(/a database of another program/);
    expect(editFile(foreign, "SELECT name FROM sqlite_schema")).toEqual([expect.objectContaining({ name: "theirs" })]);

    expect(() => open(join(foreign, "below.db"))).toThrow(expect.objectContaining({ code: "FR-STORE" }));
  });

  it("holds no clear text of a sealed secret", async () => {
    const secret = "glrt-this-must-not-be-on-the-disk";
    const sealer = createSealer("5a".repeat(32));
    const path = temporaryPath();
    const store = open(path);
    const sealedToken = sealer.seal(secret, "vm-1");
    const forge = { connection: "gl", description: "d", tags: [], runUntagged: false, maxJobTimeoutS: 60 };
    const value: Identity = { vm: "vm-1", ...forge, state: "ready", attempts: 1, sealedToken };
    await store.commit({ writes: [{ kind: "identity", key: "vm-1", value, expect: "absent" }] });
    const files = () => readdirSync(join(path, "..")).map((file) => readFileSync(join(path, "..", file)));
    expect(files().some((bytes) => bytes.includes(sealedToken))).toBe(true);
    expect(files().some((bytes) => bytes.includes(secret))).toBe(false);
    await store.stop();
    expect(files().some((bytes) => bytes.includes(secret))).toBe(false);
    const again = open(path);
    expect(sealer.open(again.get("identity", "vm-1")?.value.sealedToken ?? "", "vm-1")).toBe(secret);
    await again.stop();
  });
});

describe("a full disk", () => {
  it("rejects what it has no room for, keeps what it had, and takes more when there is room", async () => {
    const path = temporaryPath();
    const file = openStoreFile(path);
    const store = storeOn(file, storeWorld());
    revisionOf(await store.commit({ writes: [put("a")], events: [event("before")] }));
    const seen: number[] = [];
    store.watch(({ revision }) => seen.push(revision));
    const large = { ...event("large"), message: "x".repeat(1_000_000) };

    file.database.exec("PRAGMA max_page_count = 20");
    const lease = store.acquireLease("a", 60_000);
    const rejected = [
      store.commit({ writes: [put("a", hint(2)), put("b")], events: [large] }),
      store.commit({ writes: [put("a", null)] }),
      store.commit({ writes: [put("a", hint(3), 1)] }),
    ];
    for (const each of [lease, ...rejected]) {
      await expect(each).rejects.toMatchObject({
        code: "FR-STORE",
        retryable: true,
        message: expect.stringMatching(/disk is full; make room/),
      });
    }
    expect(store.list("hint")).toEqual([{ key: "a", revision: 1, value: hint(1) }]);
    expect(store.events({ after: 0, limit: 9 }).map(({ seq }) => seq)).toEqual([1]);
    expect(revisionOf(await store.commit({ writes: [put("a", hint(2), 1)] }))).toBe(2);

    file.database.exec("PRAGMA max_page_count = 100000");
    expect(revisionOf(await store.commit({ writes: [put("b")], events: [large] }))).toBe(3);
    expect((await store.acquireLease("b", 60_000))?.epoch).toMatch(/^1-/);
    expect(seen).toEqual([2, 3]);
    await store.stop();

    const again = open(path);
    expect(again.list("hint").map(({ key, revision, value }) => [key, revision, value.jobId])).toEqual([
      ["a", 2, 2],
      ["b", 3, 1],
    ]);
    expect(again.events({ after: 0, limit: 9 }).map(({ seq }) => seq)).toEqual([1, 2]);
    await again.stop();
  });
});

/** Lets a process of its own commit until `enough` commits were acknowledged, kills it, and tells all that were. */
async function commitAndKill(path: string, round: number, enough: number, whileItRuns: () => void) {
  const program = fileURLToPath(new URL("./committer.fixture.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", program, path, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const acknowledged: { readonly key: string; readonly revision: number; readonly seq: number }[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [key = "", revision, seq] = line.split(" ");
      acknowledged.push({ key, revision: Number(revision), seq: Number(seq) });
      if (acknowledged.length === 1) whileItRuns();
      if (acknowledged.length === enough) child.kill("SIGKILL");
    }
  } finally {
    child.kill("SIGKILL");
  }
  expect(await exited).toEqual([null, "SIGKILL"]);
  return acknowledged;
}

describe("a process that is killed", () => {
  it("loses nothing that was acknowledged, and leaves no lock", { timeout: 60_000 }, async () => {
    const path = temporaryPath();
    const refused = () => expect(() => open(path)).toThrow(/another process uses it/);
    const acknowledged = [
      ...(await commitAndKill(path, 0, 60, refused)),
      ...(await commitAndKill(path, 1, 5, () => {})),
      ...(await commitAndKill(path, 2, 220, () => {})),
    ];
    expect(acknowledged.length).toBeGreaterThanOrEqual(285);
    const store = open(path, 1_000_000);
    const events = new Map(store.events({ after: 0, limit: 1_000_000 }).map(({ seq, subject }) => [seq, subject.name]));
    for (const { key, revision, seq } of acknowledged) {
      expect(store.get("hint", key)?.revision).toBe(revision);
      expect(events.get(seq)).toBe(key);
    }
    expect(store.count("hint")).toBeGreaterThanOrEqual(acknowledged.length);
    await store.stop();
  });
});
