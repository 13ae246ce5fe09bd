import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { Store } from "../../reconciler/store/port.js";
import type { RedisStoreOptions } from "../../reconciler/store/redis/redis-store.js";
import { event, hint, put, revisionOf } from "../../reconciler/store/store-world.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { type RedisProcess, type RedisProcessOptions, startRedis } from "./redis-process.fixture.js";
import { mountSmallDisk } from "./small-disk.fixture.js";
import { openTestStore } from "./stores.fixture.js";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startServer(options?: RedisProcessOptions): Promise<RedisProcess> {
  const redis = await startRedis(options);
  ends.push(() => redis.stop());
  return redis;
}
async function open(redis: RedisProcess, options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const store = await openTestStore(redis, options);
  ends.push(() => store.stop());
  return store;
}
const isBack = (store: Store) => until("the store is back", () => store.ready().current);

describeRedis("a Redis that ends and comes back", () => {
  it.each(["SIGKILL", "SIGTERM"] as const)("by %s has lost nothing that was acknowledged, and its lease has ended", async (signal) => {
    const redis = await startServer({ durable: true });
    const a = await open(redis);
    const b = await open(redis);
    const epoch = (await a.acquireLease("a", 30_000))?.epoch ?? "";
    const acknowledged: string[] = [];
    const writing = (async () => {
      for (let n = 0; ; n++) {
        const key = `k${n}`;
        revisionOf(await a.commit({ writes: [put(key, hint(n + 1), "absent")], events: [event(key)], epoch }));
        acknowledged.push(key);
      }
    })();
    await until("some are written", () => acknowledged.length >= 50);
    const [, failure] = await Promise.all([redis.kill(signal), writing.catch((error: unknown) => error)]);
    expect(failure).toMatchObject({ code: "FR-STORE", retryable: true });
    await until("both know", () => !a.ready().current && !b.ready().current);
    await redis.start();
    await Promise.all([isBack(a), isBack(b)]);
    for (const store of [a, b]) {
      expect(acknowledged.filter((key) => store.get("hint", key) === undefined)).toEqual([]);
      expect(store.events({ after: 0, limit: 100_000 }).map(({ subject }) => subject.name)).toEqual(expect.arrayContaining(acknowledged));
    }
    // Nobody leads: who did may take the lead again at once, others only when its lease would have ended.
    expect((await a.commit({ writes: [put("late")], epoch })).outcome).toBe("deposed");
    expect(await b.acquireLease("b", 30_000)).toBeUndefined();
    const again = await a.acquireLease("a", 30_000);
    expect(again?.epoch).not.toBe(epoch);
    const revision = revisionOf(await a.commit({ writes: [put("now")], epoch: again?.epoch ?? "" }));
    // Numbers that lost commits may have had do not come again.
    expect(revision).toBeGreaterThan(1_000_000);
    await until("b has it", () => b.get("hint", "now") !== undefined);
  });

  it("is waited for when the store is opened", async () => {
    const redis = await startServer();
    await redis.kill("SIGTERM");
    const opening = open(redis);
    await redis.start();
    expect((await opening).ready()).toEqual({ current: true });
  });

  it("is not waited for when the store is stopped", async () => {
    const redis = await startServer();
    const store = await open(redis);
    await store.commit({ writes: [put("a")] });
    await redis.kill("SIGTERM");
    await until("it knows", () => !store.ready().current);
    await store.stop();
    await expect(store.commit({ writes: [put("b")] })).rejects.toMatchObject({
      code: "FR-STORE",
      message: expect.stringMatching(/stopped/),
    });
    expect(store.count("hint")).toBe(1);
  });

  it("frees the lease in time when its holder is gone too", async () => {
    const redis = await startServer({ durable: true });
    const a = await open(redis);
    await a.acquireLease("a", 300);
    await redis.kill("SIGKILL");
    await a.stop();
    await redis.start();
    const b = await open(redis);
    const taken = await until("the lease is free", () => b.acquireLease("b", 30_000));
    expect(taken.epoch).toMatch(/^2-/);
  });
});

describeRedis("a server that cannot be used", () => {
  const refusal = (redis: RedisProcess, options?: Partial<RedisStoreOptions>) =>
    openTestStore(redis, options).then(
      () => "it was opened",
      (error: unknown) => error,
    );

  it("is refused at once, with why", async () => {
    const redis = await startServer();
    const first = await open(redis, { keyId: "one" });
    await first.commit({ writes: [put("a")] });
    expect(await refusal(redis, { keyId: "two" })).toMatchObject({ code: "FR-STORE-SEALED", message: expect.stringMatching(/same `key`/) });
    await redis.send("SET", "theirs:record", "x");
    expect(await refusal(redis, { prefix: "theirs" })).toMatchObject({
      code: "FR-STORE",
      message: expect.stringMatching(/another prefix/),
    });
    await redis.send("HSET", "fr:meta", "format", "2");
    expect(await refusal(redis)).toMatchObject({ code: "FR-STORE-NEWER" });
    await redis.send("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru");
    expect(await refusal(redis)).toMatchObject({ code: "FR-STORE", message: expect.stringMatching(/set `maxmemory-policy noeviction`/) });
    await redis.send("CONFIG", "SET", "appendonly", "no");
    expect(await refusal(redis)).toMatchObject({ code: "FR-STORE", message: expect.stringMatching(/set `appendonly yes`/) });
    await redis.send("CONFIG", "SET", "requirepass", "s3cret");
    const server = { kind: "standalone", endpoint: { host: "127.0.0.1", port: redis.port } } as const;
    expect(await refusal(redis)).toMatchObject({ code: "FR-STORE", message: expect.stringMatching(/wants a password/) });
    const wrong = await refusal(redis, { server: { ...server, password: "wr0ng" } });
    expect(wrong).toMatchObject({ code: "FR-STORE", message: expect.stringMatching(/refused the user or password/) });
    expect(String(wrong)).not.toMatch(/wr0ng|s3cret/);
  });

  it("with a broken record is refused by kind and key", async () => {
    const redis = await startServer();
    const store = await open(redis);
    await store.commit({ writes: [put("gl/1/2")] });
    await store.stop();
    await redis.send("HSET", "fr:record", "hint gl/1/2", '1 {"connection":"gl"}');
    expect(await refusal(redis)).toMatchObject({
      code: "FR-STORE",
      message: expect.stringMatching(/hint "gl\/1\/2" is not a record.*projectId: is missing/),
    });
  });

  it("without memory left refuses writes, loses nothing, and takes them again", async () => {
    const redis = await startServer();
    const store = await open(redis);
    await store.commit({ writes: [put("a")] });
    await redis.send("CONFIG", "SET", "maxmemory", "1");
    await expect(store.commit({ writes: [put("a", hint(2)), put("b")], events: [event("1")] })).rejects.toMatchObject({
      code: "FR-STORE",
      retryable: true,
      message: expect.stringMatching(/has no memory left/),
    });
    expect(store.list("hint")).toEqual([{ key: "a", revision: 1, value: hint(1) }]);
    await redis.send("CONFIG", "SET", "maxmemory", "0");
    expect(revisionOf(await store.commit({ writes: [put("b")] }))).toBe(2);
  });
});

describeRedis("a full disk", () => {
  it("refuses writes until there is room again, and keeps everything", async (context) => {
    const directory = mkdtempSync(join(tmpdir(), "firerunner-full-"));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const disk = mountSmallDisk(directory);
    if (disk === undefined) return context.skip("only root can make a small disk");
    ends.push(() => disk.unmount());
    const redis = await startServer({ directory, config: ["auto-aof-rewrite-percentage 0"] });
    const store = await open(redis);
    const large = { ...event("large"), message: "x".repeat(200_000) };
    const failure = await until("the disk is full", async () => {
      try {
        await store.commit({ writes: [], events: [large] });
        return undefined;
      } catch (caught) {
        return caught;
      }
    });
    expect(failure).toMatchObject({
      code: "FR-STORE",
      retryable: true,
      message: expect.stringMatching(/cannot write to its disk: make room/),
    });
    expect(store.ready()).toEqual({ current: true });
    await expect(store.acquireLease("a", 30_000)).rejects.toMatchObject({ code: "FR-STORE" });
    const before = store.events({ after: 0, limit: 1_000 }).length;
    disk.grow();
    await until("there is room again", () => store.commit({ writes: [put("after")] }).catch(() => undefined));
    expect(store.events({ after: 0, limit: 1_000 })).toHaveLength(before);
    await redis.kill("SIGTERM");
    await redis.start();
    await isBack(store);
    expect(store.events({ after: 0, limit: 1_000 })).toHaveLength(before);
    expect(store.get("hint", "after")).toBeDefined();
  });
});
