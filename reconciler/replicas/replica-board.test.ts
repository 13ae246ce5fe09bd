import { afterEach, describe, expect, it } from "vitest";
import { systemRandom } from "../control/random.js";
import { ManualClock } from "../model/manual-clock.fixture.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import { createReplicaBoard, type OwnNews, type ReplicaBoard } from "./replica-board.js";
import { createNoteBook } from "./replica-note.js";

const key = "5a".repeat(32);
const boards: ReplicaBoard[] = [];
afterEach(async () => {
  await Promise.all(boards.splice(0).map((board) => board.stop()));
});

function world() {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock, random: systemRandom });
  function join(name: string, options: { readonly aheadMs?: number; readonly key?: string } = {}) {
    const heard = new Map<string, number>();
    const wanted: string[] = [];
    const news: { epoch?: string } = {};
    const own = { now: () => clock.now() + (options.aheadMs ?? 0), after: clock.after.bind(clock) };
    const board = createReplicaBoard({
      ...{ store, clock: own, name, heard: () => heard, key: options.key ?? key },
      news: (): OwnNews => ({ startedAt: 1, version: "1.2.3", adminUrl: `http://${name}`, ...news }),
      onPollWanted: (connection) => wanted.push(connection),
    });
    boards.push(board);
    return { board, heard, wanted, news, now: own.now };
  }
  return { clock, store, join };
}

describe("replicas", () => {
  it("know each other, who leads, and who is gone", async () => {
    const { clock, store, join } = world();
    const [a, b, c] = [join("a"), join("b"), join("c")];
    await clock.advance(2_000);
    expect(a.board.replicas().map(({ name, isThis, adminUrl }) => [name, isThis, adminUrl])).toEqual([
      ["a", true, "http://a"],
      ["b", false, "http://b"],
      ["c", false, "http://c"],
    ]);
    expect(a.board.leader()).toBeUndefined();
    b.news.epoch = "9-aa";
    b.board.tellNow();
    await clock.advance(2_000);
    expect([a, b, c].map(({ board }) => board.leader()?.name)).toEqual(["b", "b", "b"]);
    // b is gone without a word, and c leads.
    await b.board.stop();
    c.news.epoch = "10-bb";
    c.board.tellNow();
    await clock.advance(2_000);
    expect(a.board.leader()).toMatchObject({ name: "c", epoch: "10-bb" });
    await clock.advance(18_000);
    expect(a.board.replicas().map(({ name }) => name)).toEqual(["a", "c"]);
    await store.commit({ writes: [], events: [{ at: 1, type: "Noted", subject: { kind: "job", name: "x" }, message: "" }] });
    expect(a.board.replicas().map(({ revision, behind }) => [revision, behind])).toEqual([
      [1, 0],
      [0, 1],
    ]);
    await clock.advance(5_000);
    expect(a.board.replicas().map(({ revision, behind }) => [revision, behind])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it("hear guests for each other, whatever their clocks say, and never by a note that may be old", async () => {
    const { clock, join } = world();
    const b = join("b", { aheadMs: 3_600_000 });
    b.heard.set("vm-old", b.now());
    await clock.advance(2_000);
    await b.board.stop();
    const a = join("a");
    await clock.advance(2_000);
    expect(a.board.lastHeardAt("vm-old")).toBeUndefined();
    const again = join("c", { aheadMs: -3_600_000 });
    await clock.advance(2_000);
    again.heard.set("vm-1", again.now());
    const at = clock.now();
    await clock.advance(4_000);
    const heardAt = a.board.lastHeardAt("vm-1") ?? 0;
    expect(heardAt).toBeGreaterThanOrEqual(at);
    expect(heardAt).toBeLessThanOrEqual(at + 2_000);
    await clock.advance(130_000);
    expect(a.board.lastHeardAt("vm-1")).toBeUndefined();
  });

  it("that come later know how much there is already", async () => {
    const { clock, store, join } = world();
    await store.commit({ writes: [], events: [{ at: 1, type: "Noted", subject: { kind: "job", name: "x" }, message: "" }] });
    const late = join("late");
    await clock.advance(2_000);
    expect(late.board.replicas()).toMatchObject([{ revision: 1, behind: 0 }]);
  });

  it("want polls of each other", async () => {
    const { clock, join } = world();
    const [a, b] = [join("a"), join("b")];
    await clock.advance(2_000);
    a.board.wantPoll("gl");
    await clock.advance(2_000);
    await clock.advance(10_000);
    expect([a.wanted, b.wanted]).toEqual([[], ["gl"]]);
  });

  it("believe no note that was not written with their key", async () => {
    const { clock, store, join } = world();
    const a = join("a");
    join("b", { key: "6b".repeat(32) });
    const note = {
      seq: 1,
      startedAt: 1,
      version: "1",
      adminUrl: "http://evil",
      epoch: "99-x",
      revision: 1,
      heardAgoMs: {},
      wantedPolls: {},
    };
    await store.leaveNote("c", createNoteBook(key).write("d", note), 60_000);
    await store.leaveNote("e", "x", 60_000);
    await clock.advance(4_000);
    expect(a.board.replicas().map(({ name }) => name)).toEqual(["a"]);
  });

  it("go on when the store was away", async () => {
    const { clock, store, join } = world();
    const a = join("a");
    const { leaveNote } = store;
    Object.assign(store, { leaveNote: () => Promise.reject(new Error("away")) });
    await clock.advance(6_000);
    Object.assign(store, { leaveNote });
    join("b");
    await clock.advance(4_000);
    expect(a.board.replicas().map(({ name }) => name)).toEqual(["a", "b"]);
  });
});
