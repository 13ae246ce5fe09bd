import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterEach, expect, it } from "vitest";
import { systemRandom } from "../../reconciler/control/random.js";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import type { Hint } from "../../reconciler/model/front-door.js";
import type { Store } from "../../reconciler/store/port.js";
import { event, hint, put } from "../../reconciler/store/store-world.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { type RedisProcess, startRedis } from "./redis-process.fixture.js";
import { openTestStore } from "./stores.fixture.js";
import { openWay, type Way } from "./way.fixture.js";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What was said of the commits of one writer. */
interface Said {
  readonly acknowledged: Set<string>;
  counted: number;
  inDoubt: number;
}

const holder = "counter";

/** Writes until it is told to end: records of its own, and a counter that all share. Refusals are ordinary here. */
async function write(store: Store, name: string, said: Said, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const key = `${name}-${n}`;
    const stored = store.get("hint", holder);
    const next = hint((stored?.value.jobId ?? 0) + 1);
    try {
      const kept = await store.commit({ writes: [put(key, hint(1), "absent")], events: [event(key)] });
      if (kept.outcome === "committed") said.acknowledged.add(key);
      const counted = await store.commit({ writes: [put(holder, next, stored?.revision ?? "absent")] });
      if (counted.outcome === "committed") said.counted += 1;
    } catch (caught) {
      expect(caught).toBeInstanceOf(FireRunnerError);
      expect(caught).toMatchObject({ code: "FR-STORE", retryable: true });
      said.inDoubt += 1;
      await pause(1);
    }
  }
}

/** Everything that a watcher knows when it looks only at what it is told of. */
function knownByWatching(store: Store): { readonly records: Map<string, Hint>; readonly revisions: number[] } {
  const known = { records: new Map<string, Hint>(), revisions: [] as number[] };
  store.watch(({ revision, changed }) => {
    known.revisions.push(revision);
    for (const { key } of changed) {
      const stored = store.get("hint", key);
      if (stored === undefined) known.records.delete(key);
      else known.records.set(key, stored.value);
    }
  });
  return known;
}

const trouble: Readonly<Record<string, (redis: RedisProcess, way: Way) => Promise<unknown>>> = {
  async cut(_redis, way) {
    way.cut();
    await pause(20);
    way.mend();
  },
  async freeze(_redis, way) {
    way.freeze();
    await pause(50);
    way.mend();
  },
  kick: (redis) => redis.send("CLIENT", "KILL", "TYPE", "normal"),
  trim: (redis) => redis.send("XTRIM", "fr:feed", "MAXLEN", "0"),
  forget: (redis) => redis.send("SCRIPT", "FLUSH"),
  async kill(redis) {
    await redis.kill("SIGKILL");
    await redis.start();
  },
};

describeRedis("a storm", () => {
  it("loses nothing that was acknowledged, and everybody sees the same in the end", async () => {
    const redis = await startRedis({ durable: true });
    ends.push(() => redis.stop());
    const way = await openWay(redis.port);
    ends.push(() => way.stop());
    const open = async (through: { readonly port: number }) => {
      const store = await openTestStore(through, { eventRetention: 1_000_000 });
      ends.push(() => store.stop());
      return store;
    };
    const stores = [await open(redis), await open(way)];
    const known = stores.map(knownByWatching);
    const said = stores.map((): Said => ({ acknowledged: new Set(), counted: 0, inDoubt: 0 }));
    let isOver = false;
    const writing = stores.flatMap((store, index) =>
      said.slice(index, index + 1).map((own) => write(store, `w${index}`, own, () => isOver)),
    );
    const kinds = Object.keys(trouble);
    for (let round = 0; round < 18; round++) {
      const before = said.map(({ acknowledged }) => acknowledged.size);
      // The first rounds have one of each, the others what comes.
      const kind = kinds[round < kinds.length ? round : Math.floor(systemRandom.next() * kinds.length)] ?? "";
      await trouble[kind]?.(redis, way).catch(() => undefined);
      await until(`both write after "${kind}"`, () => said.every(({ acknowledged }, index) => acknowledged.size > (before[index] ?? 0)));
    }
    isOver = true;
    await Promise.all(writing);

    const late = await open(redis);
    for (const [index, store] of stores.entries()) {
      await until("all show the same", () => store.ready().current && isDeepStrictEqual(store.list("hint"), late.list("hint")));
      expect(store.events({ after: 0, limit: 1_000_000 })).toEqual(late.events({ after: 0, limit: 1_000_000 }));
      const { records, revisions } = known[index] ?? { records: new Map(), revisions: [] };
      expect(records).toEqual(new Map(store.list("hint").map(({ key, value }) => [key, value])));
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    }
    const all = said.flatMap(({ acknowledged }) => [...acknowledged]);
    expect(all.filter((key) => late.get("hint", key) === undefined)).toEqual([]);
    const names = late.events({ after: 0, limit: 1_000_000 }).map(({ subject }) => subject.name);
    expect(new Set(names).size).toBe(names.length);
    // Each step was made once: what was acknowledged surely, what is in doubt perhaps.
    const count = late.get("hint", holder)?.value.jobId ?? 0;
    const counted = said.reduce((sum, own) => sum + own.counted, 0);
    expect(count).toBeGreaterThanOrEqual(counted);
    expect(count).toBeLessThanOrEqual(counted + said.reduce((sum, own) => sum + own.inDoubt, 0));
  });
});
