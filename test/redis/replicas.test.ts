import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Change, Store } from "../../reconciler/store/port.js";
import type { RedisStoreOptions } from "../../reconciler/store/redis/redis-store.js";
import { event, hint, put, revisionOf } from "../../reconciler/store/store-world.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { type RedisProcess, startRedis } from "./redis-process.fixture.js";
import { openTestStore } from "./stores.fixture.js";
import { openWay, type Way } from "./way.fixture.js";

describeRedis("several replicas on one Redis", () => {
  let redis: RedisProcess;
  let way: Way;
  let prefix: string;
  const opened: Store[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    way = await openWay(redis.port);
  });
  afterAll(async () => {
    await way.stop();
    await redis.stop();
  });
  afterEach(async () => {
    way.mend();
    await Promise.all(opened.splice(0).map((store) => store.stop()));
  });

  async function open(options: Partial<RedisStoreOptions> = {}, through: { readonly port: number } = redis): Promise<Store> {
    const store = await openTestStore(through, { prefix, ...options });
    opened.push(store);
    return store;
  }
  async function openTwo(through?: Way): Promise<readonly [Store, Store]> {
    prefix = randomUUID();
    return [await open(), await open({}, through)];
  }
  const contents = (store: Store) => [store.list("hint"), store.list("operation"), store.events({ after: 0, limit: 10_000 })];
  const level = (...[a, b]: readonly [Store, Store]) =>
    until("both show the same", () => a.ready().current && b.ready().current && isDeepStrictEqual(contents(a), contents(b)));

  it("see each other's commits in one order, with their events", async () => {
    const [a, b] = await openTwo();
    const seen: Record<"a" | "b", Change[]> = { a: [], b: [] };
    a.watch((change) => seen.a.push(change));
    b.watch((change) => seen.b.push(change));
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        (n % 2 === 0 ? a : b).commit({ writes: [put(`k${n % 17}`, n % 5 === 0 ? null : hint(n + 1))], events: [event(`${n}`)] }),
      ),
    );
    await level(a, b);
    await until("both were told of all", () => seen.a.length === 200 && seen.b.length === 200);
    expect(seen.a).toEqual(seen.b);
    expect(seen.a.map(({ revision }) => revision)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
    expect(a.events({ after: 0, limit: 1_000 }).map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  });

  it("count without losing a step when both count by compare and set, and a conflict can be seen when it is told", async () => {
    const [a, b] = await openTwo();
    await a.commit({ writes: [put("counter", hint(1))] });
    const count = async (store: Store): Promise<void> => {
      for (let done = 0; done < 50; ) {
        const stored = store.get("hint", "counter");
        const value = hint((stored?.value.jobId ?? 0) + 1);
        const result = await store.commit({ writes: [put("counter", value, stored?.revision ?? "absent")] });
        if (result.outcome === "committed") done += 1;
        else expect(store.get("hint", "counter")?.revision).toBeGreaterThan(stored?.revision ?? 0);
      }
    };
    await Promise.all([count(a), count(b)]);
    await level(a, b);
    expect(a.get("hint", "counter")?.value.jobId).toBe(101);
  });

  it("give the lease to one of many, and let nobody else write under it", async () => {
    const [a, b] = await openTwo();
    const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? a : b).acquireLease(`r${n}`, 30_000)));
    const [lease, ...others] = claims.filter((claim) => claim !== undefined);
    expect(others).toEqual([]);
    const holder = lease?.holder ?? "";
    expect(await b.acquireLease(holder, 30_000)).toMatchObject({ epoch: lease?.epoch });
    await a.releaseLease(holder);
    const next = await b.acquireLease("next", 30_000);
    const results = await Promise.all([
      a.commit({ writes: [put("late")], epoch: lease?.epoch ?? "" }),
      b.commit({ writes: [put("now")], epoch: next?.epoch ?? "" }),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(["deposed", "committed"]);
    expect(a.get("hint", "late")).toBeUndefined();
    expect(await a.acquireLease("another", 30_000)).toBeUndefined();
  });

  it("read each other's notes until those expire by the server's time", async () => {
    const [a, b] = await openTwo();
    await a.leaveNote("a", "stays", 60_000);
    await a.leaveNote("short", "goes", 1);
    await until("one has expired", async () => !(await b.notes()).has("short"));
    expect(await b.notes()).toEqual(new Map([["a", "stays"]]));
    expect(await redis.send("HLEN", `${prefix}:note`)).toBe(1);
  });

  it("know all that was written before when they take the lease", async () => {
    const [a, b] = await openTwo();
    for (let turn = 1; turn <= 20; turn++) {
      const [leader, next] = turn % 2 === 0 ? [a, b] : [b, a];
      const epoch = (await leader.acquireLease("leader", 30_000))?.epoch ?? "";
      const commits = Array.from({ length: 20 }, (_, n) => leader.commit({ writes: [put(`${turn}/${n}`)], epoch }));
      const released = leader.releaseLease("leader");
      expect(await released.then(() => next.acquireLease("next", 30_000))).toBeDefined();
      expect(next.count("hint")).toBe(20 * turn);
      await Promise.all(commits);
      await next.releaseLease("next");
    }
  });

  it("let a lease end by the server's time when its holder is gone", async () => {
    const [a, b] = await openTwo();
    const short = await a.acquireLease("a", 150);
    const taken = await until("the lease has run out", () => b.acquireLease("b", 30_000));
    expect(taken.epoch).not.toBe(short?.epoch);
    expect((await a.commit({ writes: [put("late")], epoch: short?.epoch ?? "" })).outcome).toBe("deposed");
  });

  it("miss nothing while one is cut off: it says so, refuses calls, and takes up the feed where it left it", async () => {
    const [a, b] = await openTwo(way);
    const told: number[] = [];
    b.watch(({ revision }) => told.push(revision));
    await a.commit({ writes: [put("before")] });
    await until("b has it", () => b.count("hint") === 1);
    way.cut();
    await until("b knows", () => !b.ready().current);
    for (const call of [b.commit({ writes: [put("x")] }), b.acquireLease("b", 1_000), b.releaseLease("b"), b.settled()]) {
      await expect(call).rejects.toMatchObject({ code: "FR-STORE", retryable: true });
    }
    expect(b.ready()).toMatchObject({ current: false, error: { code: "FR-STORE" } });
    for (let n = 0; n < 20; n++) await a.commit({ writes: [put(`k${n}`)], events: [event(`${n}`)] });
    expect(b.count("hint")).toBe(1);
    way.mend();
    await level(a, b);
    expect(told).toEqual(Array.from({ length: 21 }, (_, n) => n + 1));
    revisionOf(await b.commit({ writes: [put("after")] }));
  });

  it("go on where they were when the server was started anew, each from the feed, under numbers that were not", async () => {
    const [a, b] = await openTwo(way);
    const told: number[] = [];
    b.watch(({ revision }) => told.push(revision));
    await a.commit({ writes: [put("before")], events: [event("1")] });
    await until("b has it", () => b.count("hint") === 1);
    way.cut();
    await until("b knows", () => !b.ready().current);
    const missed = revisionOf(await a.commit({ writes: [put("missed")], events: [event("2")] }));
    await redis.kill("SIGTERM");
    await redis.start();
    await until("a is back", () => a.ready().current);
    const after = revisionOf(await a.commit({ writes: [put("after")], events: [event("3")] }));
    expect(after).toBeGreaterThan(missed + 1);
    way.mend();
    await level(a, b);
    expect(told).toEqual([1, missed, after]);
    expect(String(await redis.send("INFO", "commandstats"))).not.toMatch(/cmdstat_(hgetall|xrevrange):/);
    expect(contents(await open())).toEqual(contents(a));
  });

  it("tell in one change what was missed, when the feed no longer has it", async () => {
    const [a, b] = await openTwo(way);
    await a.commit({ writes: [put("stays"), put("goes"), put("changes")], events: [event("1")] });
    await until("b has it", () => b.count("hint") === 3);
    const stays = b.get("hint", "stays");
    const told: Change[] = [];
    b.watch((change) => told.push(change));
    way.cut();
    await until("b knows", () => !b.ready().current);
    await a.commit({ writes: [put("goes", null), put("changes", hint(2))], events: [event("2")] });
    await a.commit({ writes: [put("comes")], events: [event("3")] });
    await redis.send("XTRIM", `${prefix}:feed`, "MAXLEN", "0");
    way.mend();
    await level(a, b);
    expect(told).toEqual([
      {
        revision: 3,
        changed: expect.arrayContaining(["changes", "comes", "goes"].map((key) => ({ kind: "hint", key }))),
        events: [expect.objectContaining({ seq: 2 }), expect.objectContaining({ seq: 3 })],
      },
    ]);
    expect(told[0]?.changed).toHaveLength(3);
    expect(b.get("hint", "stays")).toBe(stays);
  });

  it("notice a feed that was trimmed or removed under them", async () => {
    const [a, b] = await openTwo();
    await a.commit({ writes: [put("a")] });
    await level(a, b);
    await redis.send("DEL", `${prefix}:feed`);
    await a.commit({ writes: [put("b")] });
    await level(a, b);
    expect(b.count("hint")).toBe(2);
  });

  it("never wait without end for a server that says nothing", async () => {
    const [, b] = await openTwo(way);
    way.freeze();
    await expect(b.commit({ writes: [put("x")] })).rejects.toMatchObject({
      code: "FR-STORE",
      retryable: true,
      message: expect.stringMatching(/a commit at Redis 127\.0\.0\.1:\d+ took longer than 5 s/),
    });
    expect(b.ready().current).toBe(false);
    way.mend();
    await until("b is back", () => b.ready().current);
    revisionOf(await b.commit({ writes: [put("x")] }));
  });

  it("go on when the server has forgotten their scripts", async () => {
    const [a] = await openTwo();
    await redis.send("SCRIPT", "FLUSH");
    const results = await Promise.all(
      Array.from({ length: 5 }, (_, n) => a.commit({ writes: [put("k", hint(n + 1), n === 0 ? "absent" : n)] })),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => "committed"));
  });

  it("begin anew, under numbers that never were, when everything was removed", async () => {
    const [a, b] = await openTwo();
    const epoch = (await a.acquireLease("a", 30_000))?.epoch ?? "";
    const before = revisionOf(await a.commit({ writes: [put("a")], events: [event("1")], epoch }));
    await level(a, b);
    await redis.send("DEL", ...["meta", "record", "event", "feed", "lease"].map((name) => `${prefix}:${name}`));
    await until("both show nothing", () => a.count("hint") === 0 && b.count("hint") === 0 && a.ready().current && b.ready().current);
    expect((await a.commit({ writes: [put("a")], epoch })).outcome).toBe("deposed");
    expect(revisionOf(await b.commit({ writes: [put("b")] }))).toBeGreaterThan(before);
    await level(a, b);
  });

  it("hold all they hold for another that comes later, and read it in the order of its events", async () => {
    const [a] = await openTwo();
    const writes = ["b", "a b", "ü/1", "\u{1f680}"].map((key) => put(key, hint(3)));
    await a.commit({ writes, events: [event("1", 'a "quoted" \\ line\nand \u{1f680} \ud800')] });
    await a.commit({ writes: [], events: [event("2")] });
    const late = await open();
    expect(contents(late)).toEqual(contents(a));
  });
});
