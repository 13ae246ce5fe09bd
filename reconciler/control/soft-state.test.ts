import { describe, expect, it } from "vitest";
import { shownVm } from "../plan/snapshot.fixture.js";
import { SoftState } from "./soft-state.js";

describe("what a host showed", () => {
  it("is kept by the ids that it gave", () => {
    const soft = new SoftState();
    soft.noteHost("host-a", 10, 20, [shownVm()]);
    expect(soft.hosts.get("host-a")).toEqual({ startedAt: 10, at: 20, microvms: new Map([["uid-vm-one", shownVm()]]) });
  });

  it("no longer holds what was found absent, nor does a list that was under way meanwhile", () => {
    const soft = new SoftState();
    soft.noteHost("host-a", 10, 20, [shownVm()]);
    soft.noteAbsent("host-a", "uid-vm-one", 35);
    expect(soft.hosts.get("host-a")?.microvms.size).toBe(0);
    soft.noteHost("host-a", 30, 40, [shownVm()]);
    expect(soft.hosts.get("host-a")?.microvms.size).toBe(0);
    soft.noteHost("host-a", 36, 46, [shownVm()]);
    expect(soft.hosts.get("host-a")?.microvms.size).toBe(1);
  });
});

it("what is made due is still known, and is not older than it must be", () => {
  const soft = new SoftState();
  soft.noteHost("host-a", 90_000, 99_000, [shownVm()]);
  soft.noteHost("host-b", 10, 20, []);
  soft.noteForgeRead("forge", { readAt: 99_000, polledAt: 98_000, sweptAt: 97_000 });
  soft.makeDue(100_000, 10_000);
  expect(soft.hosts.get("host-a")).toMatchObject({ startedAt: 90_000, at: 90_000, microvms: new Map([["uid-vm-one", shownVm()]]) });
  expect(soft.hosts.get("host-b")?.at).toBe(20);
  expect(soft.forgeReads("forge")).toEqual({ readAt: 99_000 });
});

describe("effects that fail", () => {
  it.each([
    [1, 500],
    [2, 1_000],
    [5, 8_000],
    [30, 30_000],
  ])("rest longer every time: at most, after %i times, %i ms", (times, restMs) => {
    const soft = new SoftState();
    for (let n = 0; n < times; n++) soft.fail("poll:forge/all", 0, 1);
    expect(soft.effects.get("poll:forge/all")).toEqual({ state: "backing-off", until: restMs });
  });

  it("rest as long as the other side wishes", () => {
    const soft = new SoftState();
    soft.fail("poll:forge/all", 1_000, 0, 60_000);
    expect(soft.effects.get("poll:forge/all")).toEqual({ state: "backing-off", until: 61_000 });
  });

  it("begin from the start after a success", () => {
    const soft = new SoftState();
    for (let n = 0; n < 9; n++) soft.fail("poll:forge/all", 0, 1);
    soft.succeed("poll:forge/all");
    soft.fail("poll:forge/all", 0, 1);
    expect(soft.effects.get("poll:forge/all")).toEqual({ state: "backing-off", until: 500 });
  });

  it("are forgotten when nobody tries them any more", () => {
    const soft = new SoftState();
    soft.fail("host:vm-one", 0, 1);
    soft.begin("host:vm-two");
    soft.prune(30_501);
    expect([...soft.effects.keys()]).toEqual(["host:vm-two"]);
  });
});

it("remembers between which two lists a host's first try failed", () => {
  const soft = new SoftState();
  const list = (startedAt: number, retry: number, uid = "one") => {
    soft.noteHost("a", startedAt, startedAt + 10, [{ uid, name: uid, state: "pending", retry, mark: undefined }]);
    return soft.hosts.get("a")?.microvms.get(uid)?.failedBetween;
  };
  expect(list(100, 0)).toBeUndefined();
  expect(list(200, 1)).toEqual({ from: 100, by: 210 });
  expect(list(300, 2)).toEqual({ from: 100, by: 210 });
  expect(list(400, 1, "two")).toEqual({ by: 410 });
});

it("forgets that a forge was polled, and not that it was read", () => {
  const soft = new SoftState();
  soft.noteForgeRead("forge", { readAt: 5, polledAt: 5 });
  soft.forgetPoll("forge");
  expect(soft.forgeReads("forge")).toEqual({ readAt: 5 });
});

describe("after the clock was set back", () => {
  it("what was seen at times that are yet to come is unknown, and no rest is longer than any is", () => {
    const soft = new SoftState();
    soft.noteHost("host-a", 900_000, 900_010, [shownVm()]);
    soft.noteForgeRead("forge", { readAt: 900_000, polledAt: 900_000, sweptAt: 900_000 });
    soft.fail("host:vm-one", 900_000, 1);
    soft.begin("host:vm-two");
    soft.setBack(100_000);
    expect(soft.hosts.size).toBe(0);
    expect(soft.forgeReads("forge")).toEqual({});
    expect([...soft.effects]).toEqual([
      ["host:vm-one", { state: "backing-off", until: 130_000 }],
      ["host:vm-two", { state: "in-flight" }],
    ]);
  });

  it("a list during which that happened counts for nothing", () => {
    const soft = new SoftState();
    soft.noteHost("host-a", 900_000, 100_000, []);
    expect(soft.hosts.size).toBe(0);
  });
});
