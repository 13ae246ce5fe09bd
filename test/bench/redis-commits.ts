import { spawnSync } from "node:child_process";
import { systemRandom } from "../../reconciler/control/random.js";
import type { Hint } from "../../reconciler/model/front-door.js";
import type { Write } from "../../reconciler/store/port.js";
import { openConnection } from "../../reconciler/store/redis/connection.js";
import { openRedisStore } from "../../reconciler/store/redis/redis-store.js";
import { startRedis } from "../redis/redis-process.fixture.js";
import { type Bench, type Figure, latencies, type RunOptions } from "./figure.js";

const value: Hint = { connection: "harbour", projectId: 380, jobId: 1, firstSeenAt: 1_770_000_000_000 };
const write = (key: string): Write => ({ kind: "hint", key, value, expect: "any" });
/** The least that a commit is: a record, and a line that tells of it. */
const bareScript =
  "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]); return redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'a', ARGV[2])";

/** Commits to a real Redis with an append-only file (`appendfsync everysec`), on this machine. */
export const redisCommits: Bench = {
  name: "redis-commits",
  about: "commits of one record to the store in Redis, with another replica that follows",
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    if (spawnSync("redis-server", ["--version"]).status !== 0) {
      process.stderr.write("redis-commits is skipped: there is no redis-server\n");
      return [];
    }
    const count = smoke ? 50 : 2_000;
    const redis = await startRedis();
    const endpoint = { host: "127.0.0.1", port: redis.port };
    const options = { server: { kind: "standalone", endpoint }, prefix: "fr", keyId: "bench", clock: Date, random: systemRandom } as const;
    const store = await openRedisStore(options);
    const follower = await openRedisStore(options);
    const bare = await openConnection({ endpoint });
    try {
      const text = JSON.stringify(value);
      await bare.send("SCRIPT", "LOAD", bareScript);
      const evaluate = (n: number) => bare.send("EVAL", bareScript, "2", "bare:record", "bare:feed", `k${n}`, text);
      const commit = (n: number) => store.commit({ writes: [write(`k${n}`)] });
      const seen = (n: number) =>
        new Promise<void>((resolve) => {
          const end = follower.watch(({ changed }) => {
            if (changed[0]?.key !== `s${n}`) return;
            end();
            resolve();
          });
          void store.commit({ writes: [write(`s${n}`)] });
        });
      return [
        ...latencies("one commit", await oneByOne(count, commit)),
        ...latencies("one commit, until another replica has it", await oneByOne(count, seen)),
        ...latencies("a bare SET", await oneByOne(count, (n) => bare.send("SET", `k${n}`, text)), true),
        ...latencies("a bare script of HSET and XADD", await oneByOne(count, evaluate), true),
        { name: "commits in one burst", value: await burst(count, commit), unit: "/s" },
        { name: "bare SETs in one burst", value: await burst(count, (n) => bare.send("SET", `k${n}`, text)), unit: "/s", floor: true },
        { name: "bare scripts in one burst", value: await burst(count, evaluate), unit: "/s", floor: true },
      ];
    } finally {
      bare.close();
      await Promise.all([store.stop(), follower.stop()]);
      await redis.stop();
    }
  },
};

async function oneByOne(count: number, work: (n: number) => Promise<unknown>): Promise<readonly number[]> {
  const ms: number[] = [];
  for (let n = 0; n < count; n++) {
    const beganAt = performance.now();
    await work(n);
    ms.push(performance.now() - beganAt);
  }
  return ms;
}

async function burst(count: number, work: (n: number) => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  await Promise.all(Array.from({ length: count }, (_, n) => work(n)));
  return (count * 1000) / (performance.now() - beganAt);
}
