import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import type { Batch, Store } from "../../reconciler/store/port.js";
import { storeContract } from "../../reconciler/store/store-contract.fixture.js";
import { storeModel } from "../../reconciler/store/store-model.fixture.js";
import type { StoreWorld } from "../../reconciler/store/store-world.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { type RedisProcess, startRedis } from "./redis-process.fixture.js";
import { openTestStore } from "./stores.fixture.js";

describeRedis("the Redis store", () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  async function open(world: StoreWorld, eventRetention = 1_000, prefix: string = randomUUID()): Promise<Store> {
    const store = await openTestStore(redis, { prefix, eventRetention, ...world });
    return aged(store, world, redis, prefix);
  }

  storeContract(open);

  const prefixes = new WeakMap<StoreWorld, string>();
  storeModel({
    runs: 25,
    open: (world) => {
      const prefix = randomUUID();
      prefixes.set(world, prefix);
      return open(world, 1_000, prefix);
    },
    async reopen(store, world) {
      // Here a lease outlives its holder; in the model it does not.
      for (const holder of ["p", "q"]) await store.releaseLease(holder);
      await store.stop();
      return open(world, 1_000, prefixes.get(world));
    },
  });
});

/**
 * Lets the server's lease age by the test's clock: whenever that is moved, the lease is made to have ended there, or to be far
 * from it. What is asked for afterwards waits for that, and stays in its order.
 */
function aged(store: Store, { clock }: StoreWorld, redis: RedisProcess, prefix: string): Store {
  const { advance } = clock;
  const commit = store.commit.bind(store);
  const claim = store.acquireLease.bind(store);
  let expiresAt = 0;
  let ageing: Promise<unknown> | undefined;
  Object.assign(clock, {
    advance(ms: number) {
      advance(ms);
      const end = expiresAt > clock.now() ? "99999999999999" : "1";
      if (expiresAt === 0) return;
      ageing = redis.send("HSET", `${prefix}:lease`, "expiresAt", end).finally(() => {
        ageing = undefined;
      });
    },
  });
  return Object.assign(store, {
    commit: (batch: Batch) => (ageing === undefined ? commit(batch) : ageing.then(() => commit(batch))),
    async acquireLease(holder: string, ttlMs: number) {
      if (ageing !== undefined) await ageing;
      const lease = await claim(holder, ttlMs);
      expiresAt = lease?.expiresAt ?? expiresAt;
      return lease;
    },
  });
}
