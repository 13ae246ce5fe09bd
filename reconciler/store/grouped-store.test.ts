import { describe, expect, it } from "vitest";
import { GroupedStore, type JournalEntry } from "./grouped-store.js";
import { emptyContents, Mirror } from "./mirror.js";
import { event, hint, put, storeWorld } from "./store-world.fixture.js";

/** A store whose journal is looked at, whose disk can break, and whose turns are taken by the test. */
function start() {
  const entries: JournalEntry[] = [];
  const disk: { fault: Error | undefined } = { fault: undefined };
  const turns: (() => void)[] = [];
  const journal = {
    write(entry: JournalEntry) {
      if (disk.fault !== undefined) throw disk.fault;
      entries.push(entry);
    },
    close() {},
  };
  const schedule = (run: () => void) => void turns.push(run);
  const world = storeWorld();
  const store = new GroupedStore({ mirror: new Mirror(emptyContents, 100), journal, schedule, ...world });
  const turn = () => {
    for (const run of turns.splice(0)) run();
  };
  return { store, world, entries, disk, turn };
}

describe("grouping", () => {
  it("writes what arrives in one turn as one entry, bounded, in order", async () => {
    const { store, entries, turn } = start();
    const all = Promise.all(Array.from({ length: 1_201 }, (_, n) => store.commit({ writes: [put(`k${n}`)], events: [event(`k${n}`)] })));
    turn();
    expect(store.count("hint")).toBe(500);
    turn();
    turn();
    turn();
    expect((await all).map((result) => result.outcome === "committed" && result.revision)).toEqual(
      Array.from({ length: 1_201 }, (_, n) => n + 1),
    );
    expect(entries.map(({ steps, revision, lastSeq }) => [steps.length, revision, lastSeq])).toEqual([
      [500, 500, 500],
      [500, 1_000, 1_000],
      [201, 1_201, 1_201],
    ]);
  });

  it("forgets notes when their time is over", async () => {
    const { store, world } = start();
    await store.leaveNote("short", "goes", 1_000);
    await store.leaveNote("long", "stays", 2_000);
    world.clock.advance(1_000);
    expect(await store.notes()).toEqual(new Map([["long", "stays"]]));
  });

  it("writes nothing when nothing changes: conflicts, absent records, renewals", async () => {
    const { store, entries, turn } = start();
    const taken = store.acquireLease("a", 1_000);
    turn();
    await taken;
    expect(entries.map(({ takeovers }) => takeovers)).toEqual([1]);
    const quiet = Promise.all([
      store.commit({ writes: [put("a", hint(1), 7)] }),
      store.commit({ writes: [put("a", null)] }),
      store.acquireLease("a", 1_000),
      store.acquireLease("b", 1_000),
      store.releaseLease("a"),
    ]);
    turn();
    await quiet;
    expect(entries).toHaveLength(1);
  });

  it("takes everything of a group back when it cannot be written, and goes on from there", async () => {
    const { store, disk, turn } = start();
    const before = store.commit({ writes: [put("a"), put("b")], events: [event("1")] });
    turn();
    await before;
    const told: number[] = [];
    store.watch(({ revision }) => told.push(revision));
    const list = store.list("hint");

    disk.fault = new Error("the disk fell out");
    const group = [
      store.commit({ writes: [put("a", hint(2)), put("c")], events: [event("2")] }),
      store.commit({ writes: [put("a", null), put("b", null)], events: [event("3"), event("4")] }),
      store.commit({ writes: [put("a", hint(3), 1)] }),
      store.acquireLease("p", 1_000),
    ];
    const settled = Promise.allSettled(group);
    turn();
    for (const each of await settled) {
      expect(each).toMatchObject({ status: "rejected", reason: { code: "FR-STORE", message: expect.stringMatching(/the disk fell out/) } });
    }
    expect(store.list("hint")).toEqual(list);
    expect(store.events({ after: 0, limit: 9 }).map(({ seq }) => seq)).toEqual([1]);

    disk.fault = undefined;
    const after = Promise.all([store.acquireLease("q", 1_000), store.commit({ writes: [put("a", hint(9), 1)], events: [event("5")] })]);
    turn();
    const [lease, result] = await after;
    expect([lease?.holder, lease?.epoch.split("-")[0], result]).toEqual(["q", "1", { outcome: "committed", revision: 2 }]);
    expect(store.events({ after: 1, limit: 9 }).map(({ seq, subject }) => [seq, subject.name])).toEqual([[2, "5"]]);
    expect(told).toEqual([2]);
  });

  it("refuses more than it can hold waiting", async () => {
    const { store, turn } = start();
    const all = Array.from({ length: 100_000 }, () => store.releaseLease("a"));
    await expect(store.commit({ writes: [put("a")] })).rejects.toMatchObject({ code: "FR-STORE", retryable: true });
    const stopped = store.stop();
    turn();
    await Promise.all([...all, stopped]);
  });
});
