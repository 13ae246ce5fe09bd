import { afterEach, describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import type { Change, Store, Write } from "./port.js";
import { event, hint, put, revisionOf, type StoreWorld, storeWorld } from "./store-world.fixture.js";

/** Makes an empty store in a world of its own. */
export type OpenStore = (world: StoreWorld, eventRetention?: number) => Store | Promise<Store>;

/** What every store does, whatever it keeps its records in. */
export function storeContract(open: OpenStore): void {
  const opened: Store[] = [];
  const start = async (eventRetention?: number) => {
    const world = storeWorld();
    const store = await open(world, eventRetention);
    opened.push(store);
    return { ...world, store };
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.stop()));
  });

  describe("records", () => {
    it("are read back, listed in the order of their keys and counted", async () => {
      const { store } = await start();
      expect(store.list("hint")).toEqual([]);
      for (const key of ["b", "a/10", "c", "a/2", "é", "Z"]) await store.commit({ writes: [put(key)] });
      expect(store.list("hint").map(({ key }) => key)).toEqual(["Z", "a/10", "a/2", "b", "c", "é"]);
      expect(store.count("hint")).toBe(6);
      expect(store.count("job")).toBe(0);
      expect(store.get("hint", "b")).toEqual({ key: "b", revision: 1, value: hint(1) });
      expect(store.get("hint", "nothing")).toBeUndefined();
      expect(store.get("operation", "b")).toBeUndefined();
    });

    it("are listed in an array that stays as it was, and is the same until something changes", async () => {
      const { store } = await start();
      await store.commit({ writes: [put("a"), put("b")] });
      const before = store.list("hint");
      expect(store.list("hint")).toBe(before);
      await store.commit({ writes: [put("a", hint(7)), put("b", null), put("c")] });
      expect(before.map(({ key, value }) => [key, value.jobId])).toEqual([
        ["a", 1],
        ["b", 1],
      ]);
      expect(store.list("hint").map(({ key, value }) => [key, value.jobId])).toEqual([
        ["a", 7],
        ["c", 1],
      ]);
    });

    it("are copies that nobody can change, neither who wrote nor who reads", async () => {
      const { store } = await start();
      const mine = { ...hint(1) };
      const committed = store.commit({ writes: [put("a", mine)] });
      mine.jobId = 99;
      await committed;
      const read = store.get("hint", "a");
      expect(read?.value.jobId).toBe(1);
      expect(() => Object.assign(read?.value ?? {}, { jobId: 99 })).toThrow(TypeError);
    });

    it("grow in revision with every write, and all of one commit share theirs", async () => {
      const { store } = await start();
      const first = revisionOf(await store.commit({ writes: [put("a"), put("b")] }));
      const second = revisionOf(await store.commit({ writes: [put("a")] }));
      const third = revisionOf(await store.commit({ writes: [put("b", null)] }));
      const fourth = revisionOf(await store.commit({ writes: [put("b")] }));
      expect([first < second, second < third, third < fourth]).toEqual([true, true, true]);
      expect(store.get("hint", "a")?.revision).toBe(second);
      expect(store.get("hint", "b")?.revision).toBe(fourth);
    });

    it.each([
      ["a value that its schema refuses", put("a", { ...hint(1), projectId: -1 }), /hint "a": projectId: -1 is refused/],
      ["an empty key", put(""), /key of a hint: "" is refused/],
      ["a key with NUL", put("a\0b"), /key of a hint: "a\\u0000b" is refused/],
      ["a key with half a character", put("\ud800"), /key of a hint/],
      ["a key without end", put("x".repeat(1025)), /must be 1 to 1024 characters/],
      ["an unknown kind", { ...put("a"), kind: "dog" } as unknown as Write, /kind "dog" is refused: must be one of host, image/],
    ])("are refused with what cannot be kept: %s", async (_, write, message) => {
      const { store } = await start();
      const committed = store.commit({ writes: [put("other"), write] });
      await expect(committed).rejects.toThrow(message);
      await expect(committed).rejects.toMatchObject({ code: "FR-INVALID" });
      expect(store.count("hint")).toBe(0);
    });

    it("are refused when one is written twice in a batch", async () => {
      const { store } = await start();
      await expect(store.commit({ writes: [put("a"), put("a", null)] })).rejects.toMatchObject({ code: "FR-INVALID" });
    });
  });

  describe("compare and set", () => {
    it("writes what is as expected, and deletes it", async () => {
      const { store } = await start();
      const made = revisionOf(await store.commit({ writes: [put("a", hint(1), "absent")] }));
      const changed = revisionOf(await store.commit({ writes: [put("a", hint(2), made)] }));
      revisionOf(await store.commit({ writes: [put("a", null, changed)] }));
      expect(store.get("hint", "a")).toBeUndefined();
    });

    it("names every record that is not as expected, and then writes none of the batch", async () => {
      const { store } = await start();
      const made = revisionOf(await store.commit({ writes: [put("a"), put("b")] }));
      await store.commit({ writes: [put("a", hint(2))] });
      const writes = [put("c"), put("a", hint(3), made), put("b", hint(3), "absent"), put("d", null, 1), put("b2", null, "absent")];
      expect(await store.commit({ writes, events: [event("x")] })).toEqual({
        outcome: "conflict",
        conflicts: [
          { kind: "hint", key: "a" },
          { kind: "hint", key: "b" },
          { kind: "hint", key: "d" },
        ],
      });
      expect(store.list("hint").map(({ key, value }) => [key, value.jobId])).toEqual([
        ["a", 2],
        ["b", 1],
      ]);
      expect(store.events({ after: 0, limit: 10 })).toEqual([]);
    });

    it("tells apart a record from another one that had its key before", async () => {
      const { store } = await start();
      const made = revisionOf(await store.commit({ writes: [put("a")] }));
      await store.commit({ writes: [put("a", null)] });
      await store.commit({ writes: [put("a")] });
      expect((await store.commit({ writes: [put("a", hint(2), made)] })).outcome).toBe("conflict");
    });

    it("takes deleting what is absent for done, and then nothing has changed", async () => {
      const { store } = await start();
      const changes: Change[] = [];
      store.watch((change) => changes.push(change));
      expect(await store.commit({ writes: [put("a", null), put("b", null, "absent")] })).toEqual({ outcome: "committed", revision: 0 });
      expect(await store.commit({ writes: [] })).toEqual({ outcome: "committed", revision: 0 });
      expect(changes).toEqual([]);
    });

    it("judges commits that arrive together one after the other, and one's conflict leaves the others alone", async () => {
      const { store } = await start();
      const results = await Promise.all([
        store.commit({ writes: [put("a", hint(1), "absent")] }),
        store.commit({ writes: [put("a", hint(2), "absent")] }),
        store.commit({ writes: [put("a", hint(3), 1)] }),
        store.commit({ writes: [put("a", null, 2), put("b")] }),
        store.commit({ writes: [put("a", hint(4), "absent")] }),
      ]);
      expect(results.map(({ outcome }) => outcome)).toEqual(["committed", "conflict", "committed", "committed", "committed"]);
      expect(store.get("hint", "a")).toEqual({ key: "a", revision: 4, value: hint(4) });
      expect(store.count("hint")).toBe(2);
    });

    it("shows nothing before it is committed, and everything when the promise settles", async () => {
      const { store } = await start();
      const committed = store.commit({ writes: [put("a")] });
      expect(store.get("hint", "a")).toBeUndefined();
      await committed;
      expect(store.get("hint", "a")).toBeDefined();
    });

    it("takes a thousand commits in one burst", async () => {
      const { store } = await start();
      const results = await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.commit({ writes: [put(`k${n}`, hint(n + 1))] })));
      expect(new Set(results.map(revisionOf)).size).toBe(1_000);
      expect(store.list("hint")).toHaveLength(1_000);
    });
  });

  describe("events", () => {
    it("are numbered in the order of their commits and paged through", async () => {
      const { store } = await start();
      await store.commit({ writes: [put("a")], events: [event("1"), event("2")] });
      await Promise.all([store.commit({ writes: [], events: [event("3")] }), store.commit({ writes: [], events: [event("4")] })]);
      const first = store.events({ after: 0, limit: 3 });
      expect(first.map(({ seq, subject }) => [seq, subject.name])).toEqual([
        [1, "1"],
        [2, "2"],
        [3, "3"],
      ]);
      expect(store.events({ after: 3, limit: 3 }).map(({ seq }) => seq)).toEqual([4]);
      expect(store.events({ after: 4, limit: 3 })).toEqual([]);
      expect(store.events({ after: 0, limit: 0 })).toEqual([]);
    });

    it("are found by subject", async () => {
      const { store } = await start();
      const events = ["a", "b", "a", "b", "a"].map((name) => event(name));
      await store.commit({ writes: [], events });
      const subject = { kind: "job", name: "a" };
      expect(store.events({ after: 1, limit: 1, subject }).map(({ seq }) => seq)).toEqual([3]);
      expect(store.events({ after: 0, limit: 9, subject }).map(({ seq }) => seq)).toEqual([1, 3, 5]);
      expect(store.events({ after: 0, limit: 9, subject: { kind: "pool", name: "a" } })).toEqual([]);
    });

    it("are kept up to a bound, and their numbers go on", async () => {
      const { store } = await start(20);
      for (let n = 1; n <= 100; n++) await store.commit({ writes: [], events: [event(String(n))] });
      const kept = store.events({ after: 0, limit: 1_000 });
      expect(kept.length).toBeGreaterThanOrEqual(20);
      expect(kept.length).toBeLessThan(22);
      expect(kept.at(-1)).toMatchObject({ seq: 100, subject: { name: "100" } });
      expect(kept[0]?.seq).toBe(101 - kept.length);
    });

    it("that are none are refused", async () => {
      const { store } = await start();
      const committed = store.commit({ writes: [put("a")], events: [{ ...event("a"), type: "" }] });
      await expect(committed).rejects.toMatchObject({ code: "FR-INVALID" });
      expect(store.count("hint")).toBe(0);
    });
  });

  describe("watching", () => {
    it("tells of each commit in order, when it can be read and before its promise settles", async () => {
      const { store } = await start();
      const seen: unknown[] = [];
      store.watch(({ revision, changed, events }) => {
        const present = changed.map(({ key }) => store.get("hint", key) !== undefined);
        seen.push([revision, changed.map(({ key }) => key), events.map(({ seq }) => seq), present]);
      });
      await store.commit({ writes: [put("b"), put("a")], events: [event("x")] }).then(() => seen.push("settled"));
      await Promise.all([store.commit({ writes: [put("c")] }), store.commit({ writes: [put("a", null)] })]);
      expect(seen).toEqual([[1, ["b", "a"], [1], [true, true]], "settled", [2, ["c"], [], [true]], [3, ["a"], [], [false]]]);
    });

    it("ends when it is ended, from within another watcher as well", async () => {
      const { store } = await start();
      const seen: string[] = [];
      const second = { end: () => {} };
      const first = store.watch(() => {
        seen.push("first");
        second.end();
      });
      second.end = store.watch(() => seen.push("second"));
      store.watch(() => seen.push("third"));
      await store.commit({ writes: [put("a")] });
      first();
      first();
      await store.commit({ writes: [put("a")] });
      expect(seen).toEqual(["first", "third", "third"]);
    });

    it("lets watchers commit, and the commits come after", async () => {
      const { store } = await start();
      const seen: number[] = [];
      const committed = new Promise<void>((resolve) => {
        store.watch(({ revision }) => {
          seen.push(revision);
          if (revision === 1) void store.commit({ writes: [put("b")] }).then(() => resolve());
        });
      });
      await Promise.all([store.commit({ writes: [put("a")] }), store.commit({ writes: [put("c")] }), committed]);
      expect(seen).toEqual([1, 2, 3]);
    });

    it("goes on after a watcher that throws, and the fault is told", async () => {
      const { store, faults } = await start();
      const seen: number[] = [];
      store.watch(() => {
        throw new Error("watcher broke");
      });
      store.watch(({ revision }) => seen.push(revision));
      revisionOf(await store.commit({ writes: [put("a")] }));
      revisionOf(await store.commit({ writes: [put("a")] }));
      expect(seen).toEqual([1, 2]);
      expect(faults.map(({ code, message }) => [code, /revision \d.*watcher broke/.test(message)])).toEqual([
        ["FR-INTERNAL", true],
        ["FR-INTERNAL", true],
      ]);
    });
  });

  describe("the lease", () => {
    it("is one holder's until it expires or is released", async () => {
      const { store, clock } = await start();
      const mine = await store.acquireLease("a", 1_000);
      expect(mine).toMatchObject({ holder: "a", expiresAt: clock.now() + 1_000 });
      expect(await store.acquireLease("b", 1_000)).toBeUndefined();
      clock.advance(999);
      expect(await store.acquireLease("b", 1_000)).toBeUndefined();
      clock.advance(1);
      const other = await store.acquireLease("b", 1_000);
      expect(other?.holder).toBe("b");
      await store.releaseLease("a");
      expect(await store.acquireLease("a", 1_000)).toBeUndefined();
      await store.releaseLease("b");
      expect((await store.acquireLease("a", 1_000))?.holder).toBe("a");
    });

    it("keeps its epoch when it is renewed and gets a new one whenever it is taken", async () => {
      const { store, clock } = await start();
      const first = await store.acquireLease("a", 1_000);
      clock.advance(500);
      const renewed = await store.acquireLease("a", 1_000);
      expect(renewed).toEqual({ ...first, expiresAt: clock.now() + 1_000 });
      clock.advance(5_000);
      expect((await store.acquireLease("a", 1_000))?.epoch).toBe(first?.epoch);
      await store.releaseLease("a");
      const again = await store.acquireLease("a", 1_000);
      clock.advance(1_000);
      const other = await store.acquireLease("b", 1_000);
      expect(new Set([first?.epoch, again?.epoch, other?.epoch]).size).toBe(3);
    });

    it("lets only the newest epoch write", async () => {
      const { store, clock } = await start();
      const old = await store.acquireLease("a", 1_000);
      const epoch = old?.epoch ?? "";
      revisionOf(await store.commit({ writes: [put("a")], epoch }));
      clock.advance(1_000);
      revisionOf(await store.commit({ writes: [put("a")], epoch }));
      const next = await store.acquireLease("b", 1_000);
      expect(await store.commit({ writes: [put("a", null)], events: [event("x")], epoch })).toEqual({ outcome: "deposed" });
      revisionOf(await store.commit({ writes: [put("b")], epoch: next?.epoch ?? "" }));
      await store.releaseLease("b");
      expect(await store.commit({ writes: [put("c")], epoch: next?.epoch ?? "" })).toEqual({ outcome: "deposed" });
      expect(store.list("hint").map(({ key }) => key)).toEqual(["a", "b"]);
      expect(store.events({ after: 0, limit: 9 })).toEqual([]);
      revisionOf(await store.commit({ writes: [put("c")] }));
    });

    it("deposes a leader between two commits that arrive together", async () => {
      const { store, clock } = await start();
      const epoch = (await store.acquireLease("a", 1_000))?.epoch ?? "";
      clock.advance(1_000);
      const [before, taken, after] = await Promise.all([
        store.commit({ writes: [put("a")], epoch }),
        store.acquireLease("b", 1_000),
        store.commit({ writes: [put("b")], epoch }),
      ]);
      expect([before.outcome, taken?.holder, after.outcome]).toEqual(["committed", "b", "deposed"]);
    });

    it("is refused to nobody and for no time", async () => {
      const { store } = await start();
      await expect(store.acquireLease("", 1_000)).rejects.toThrow(/holder of a lease: "" is refused/);
      await expect(store.acquireLease("a", 0)).rejects.toThrow(/ttlMs of a lease: 0 is refused/);
      await expect(store.acquireLease("a", Number.NaN)).rejects.toMatchObject({ code: "FR-INVALID" });
    });
  });

  describe("notes", () => {
    it("are left by name, the newest in the place of the one before, and no change tells of them", async () => {
      const { store } = await start();
      const seen: Change[] = [];
      store.watch((change) => seen.push(change));
      expect(await store.notes()).toEqual(new Map());
      await store.leaveNote("a", "1", 60_000);
      await store.leaveNote("b 2", 'of "b"\n 7', 60_000);
      await store.leaveNote("a", "", 60_000);
      expect(await store.notes()).toEqual(
        new Map([
          ["a", ""],
          ["b 2", 'of "b"\n 7'],
        ]),
      );
      expect([seen, revisionOf(await store.commit({ writes: [] }))]).toEqual([[], 0]);
      await store.stop();
      await expect(store.leaveNote("a", "1", 60_000)).rejects.toMatchObject({ code: "FR-STORE" });
      await expect(store.notes()).rejects.toMatchObject({ code: "FR-STORE" });
    });
  });

  describe("stopping", () => {
    it("finishes what was begun, and refuses what comes later", async () => {
      const { store } = await start();
      const begun = Array.from({ length: 1_200 }, (_, n) => store.commit({ writes: [put(`k${n}`)] }));
      const stopped = store.stop();
      await expect(store.commit({ writes: [put("late")] })).rejects.toMatchObject({ code: "FR-STORE" });
      await expect(store.acquireLease("a", 1_000)).rejects.toMatchObject({ code: "FR-STORE" });
      await expect(store.releaseLease("a")).rejects.toMatchObject({ code: "FR-STORE" });
      expect((await Promise.all(begun)).every(({ outcome }) => outcome === "committed")).toBe(true);
      await stopped;
      await store.stop();
      await expect(store.commit({ writes: [put("later")] })).rejects.toBeInstanceOf(FireRunnerError);
      expect(store.count("hint")).toBe(1_200);
    });

    it("may be asked for by a watcher", async () => {
      const { store } = await start();
      const seen: number[] = [];
      const stopped = new Promise<void>((resolve, reject) => {
        store.watch(({ revision }) => {
          seen.push(revision);
          if (revision === 1) store.stop().then(resolve, reject);
        });
      });
      await Promise.all([store.commit({ writes: [put("a")] }), store.commit({ writes: [put("b")] })]);
      await stopped;
      expect(seen).toEqual([1, 2]);
    });
  });
}
