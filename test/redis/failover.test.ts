import { afterEach, expect, it } from "vitest";
import type { Change, Store } from "../../reconciler/store/port.js";
import type { RedisStoreOptions } from "../../reconciler/store/redis/redis-store.js";
import { event, hint, put, revisionOf } from "../../reconciler/store/store-world.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { type RedisProcess, startRedis } from "./redis-process.fixture.js";
import { openTestStore } from "./stores.fixture.js";

const name = "fleet";
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A master with a replica, and a Sentinel that watches them. */
async function startPair() {
  const start = async (...args: Parameters<typeof startRedis>) => {
    const redis = await startRedis(...args);
    ends.push(() => redis.stop());
    return redis;
  };
  const master = await start();
  const replica = await start({ config: [`replicaof 127.0.0.1 ${master.port}`] });
  await until("the replica follows", async () => String(await replica.send("INFO", "replication")).includes("master_link_status:up"));
  const sentinel = await start({
    mode: "sentinel",
    config: [
      `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${name} 300`,
      `sentinel failover-timeout ${name} 2000`,
    ],
  });
  await until(
    "the Sentinel knows the replica",
    async () => ((await sentinel.send("SENTINEL", "REPLICAS", name)) as unknown[]).length === 1,
  );
  return { master, replica, sentinel };
}

async function open(sentinel: RedisProcess, options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  // The first of them is not there: the next one is asked.
  const sentinels = [1, sentinel.port].map((port) => ({ host: "127.0.0.1", port }));
  const store = await openTestStore(sentinel, { server: { kind: "sentinel", sentinels, name }, ...options });
  ends.push(() => store.stop());
  return store;
}
const isBack = (store: Store) => until("the store is back", () => store.ready().current);
/** How often everything was read at a server since it was started. One that became the master has ended all connections: it is asked again. */
async function readings(redis: RedisProcess): Promise<number> {
  const told = await until("it tells", () => redis.send("INFO", "commandstats").catch(() => undefined));
  return Number(/cmdstat_xrevrange:calls=(\d+)/.exec(String(told))?.[1] ?? 0);
}

describeRedis("a master that is replaced", () => {
  it("loses nothing that a replica had; who led takes the lead again under another epoch, and nobody else before", async () => {
    const { master, replica, sentinel } = await startPair();
    const [a, b] = [await open(sentinel, { minReplicas: 1 }), await open(sentinel, { minReplicas: 1 })];
    const lease = await a.acquireLease("a", 30_000);
    const epoch = lease?.epoch ?? "";
    revisionOf(await a.commit({ writes: [put("a")], events: [event("1")], epoch }));
    await a.settled();
    await master.kill("SIGKILL");
    await until("both know", () => !a.ready().current && !b.ready().current);
    await Promise.all([isBack(a), isBack(b)]);
    expect([a.get("hint", "a")?.revision, b.get("hint", "a")?.revision]).toEqual([1, 1]);
    expect((await a.commit({ writes: [put("late")], epoch })).outcome).toBe("deposed");
    expect(await b.acquireLease("b", 30_000)).toBeUndefined();
    // The new master has no replica yet: a lease that only it knows would be lost with it.
    const alone = { code: "FR-STORE", retryable: true, message: expect.stringMatching(/1 must have what was written, 0 had it after 2 s/) };
    await expect(Promise.all([a.acquireLease("a", 30_000), a.settled()])).rejects.toMatchObject(alone);
    await master.start();
    // As the Sentinel would in a while.
    await master.send("REPLICAOF", "127.0.0.1", String(replica.port));
    const again = await until("the old master follows", () => a.acquireLease("a", 30_000).catch(() => undefined));
    expect(again.epoch).not.toBe(epoch);
    // Its history is the one that both knew: no webhook is refused while everything is read again.
    expect(await readings(replica)).toBe(0);
    revisionOf(await a.commit({ writes: [put("b")], epoch: again.epoch }));
    await a.settled();
    await until("b has it", () => b.get("hint", "b") !== undefined);
  });

  it("may lose the last commits: they are gone from every view, which says so, and their numbers never come again", async () => {
    const { master, replica, sentinel } = await startPair();
    const [a, b] = [await open(sentinel), await open(sentinel)];
    const kept = revisionOf(await a.commit({ writes: [put("kept"), put("changed")], events: [event("kept")] }));
    await until("the replica has it", async () => (await replica.send("HGET", "fr:meta", "revision")) === String(kept));
    const told: Change[] = [];
    b.watch((change) => told.push(change));
    process.kill(replica.pid(), "SIGSTOP");
    await master.send("CLIENT", "KILL", "TYPE", "REPLICA");
    const lost = revisionOf(await a.commit({ writes: [put("lost"), put("changed", hint(2))], events: [event("lost")] }));
    await until("b saw it", () => b.get("hint", "lost") !== undefined);
    await master.kill("SIGKILL");
    process.kill(replica.pid(), "SIGCONT");
    await until("both know", () => !a.ready().current && !b.ready().current);
    await Promise.all([isBack(a), isBack(b)]);
    for (const store of [a, b]) {
      expect(store.list("hint").map(({ key, revision, value }) => [key, revision, value.jobId])).toEqual([
        ["changed", kept, 1],
        ["kept", kept, 1],
      ]);
      expect(store.events({ after: 0, limit: 9 }).map(({ subject }) => subject.name)).toEqual(["kept"]);
    }
    const changed = ["changed", "lost"].map((key) => ({ kind: "hint", key }));
    expect(told.at(-1)).toMatchObject({ changed: expect.arrayContaining(changed), events: [] });
    expect(await readings(replica)).toBe(2);
    // What was expected of a record that is lost is not met by another one.
    expect((await b.commit({ writes: [put("changed", hint(3), lost)] })).outcome).toBe("conflict");
    expect(revisionOf(await b.commit({ writes: [put("lost")] }))).toBeGreaterThan(lost);
  });

  it("is left as soon as a Sentinel tells of another, though it ended no connection", async () => {
    const { master, sentinel } = await startPair();
    const faults: string[] = [];
    const store = await open(sentinel, { onFault: ({ message }) => faults.push(message) });
    const kept = revisionOf(await store.commit({ writes: [put("kept")] }));
    await until("the replica has it", async () => (await master.send("WAIT", "1", "1000")) === 1);
    process.kill(master.pid(), "SIGSTOP");
    ends.push(() => void process.kill(master.pid(), "SIGCONT"));
    await until("the store is out of reach", () => !store.ready().current, { everyMs: 1 });
    await isBack(store);
    expect(faults).toEqual([expect.stringMatching(/^a Sentinel tells of another master of Redis in the place of 127\.0\.0\.1:\d+$/)]);
    expect(revisionOf(await store.commit({ writes: [put("new")] }))).toBeGreaterThan(kept);
  });
});
