import { until } from "../e2e/until.fixture.js";
import { type RedisProcess, startRedis } from "./redis-process.fixture.js";

/** A master with two replicas, and a Sentinel that watches them. */
export interface WatchedRedis {
  readonly sentinelPort: number;
  readonly name: string;
  /** Ends the master with SIGKILL; settles when another one has taken over. */
  failOver(): Promise<FailOver>;
  /** Starts the one that was killed again, as a replica; settles when all is as it was before. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** When a master was killed, and when the Sentinel was seen to tell of another, by `performance.now()`. */
export interface FailOver {
  readonly killedAt: number;
  readonly toldAt: number;
}

const name = "fleet";

export async function startWatchedRedis(): Promise<WatchedRedis> {
  const started: RedisProcess[] = [];
  const stop = async () => {
    for (const redis of started.splice(0).reverse()) await redis.stop();
  };
  const start = async (...args: Parameters<typeof startRedis>) => {
    const redis = await startRedis(...args);
    started.push(redis);
    return redis;
  };
  try {
    const first = await start();
    const config = [`replicaof 127.0.0.1 ${first.port}`];
    const servers = [first, await start({ config }), await start({ config })];
    const follows = async (redis: RedisProcess, port: number) => {
      const said = String(await redis.send("INFO", "replication").catch(() => ""));
      return said.includes(`master_port:${port}\r`) && said.includes("master_link_status:up");
    };
    for (const replica of servers.slice(1)) await until("a replica follows", () => follows(replica, first.port));
    const sentinel = await start({
      mode: "sentinel",
      config: [
        `sentinel monitor ${name} 127.0.0.1 ${first.port} 1`,
        `sentinel down-after-milliseconds ${name} 1500`,
        `sentinel failover-timeout ${name} 3000`,
        `sentinel parallel-syncs ${name} 2`,
      ],
    });
    const known = async () => ((await sentinel.send("SENTINEL", "REPLICAS", name)) as unknown[]).length;
    await until("the Sentinel knows the replicas", async () => (await known()) === 2);
    const masterPort = async () => Number(((await sentinel.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)) as string[])[1]);
    /** Whether the Sentinel has done with a failover: one that loses the new master before may give up and wait for the old one without end. */
    const isSettled = async () => {
      const told = (await sentinel.send("SENTINEL", "MASTER", name)) as readonly string[];
      return Number(told[told.indexOf("port") + 1]) === (await masterPort());
    };
    /** Has those follow that do not, as the Sentinel would in a while; told again it changes nothing. */
    const followAll = async () => {
      const port = await masterPort();
      const others = servers.filter((server) => server.port !== port);
      const following = await Promise.all(others.map((server) => follows(server, port)));
      const astray = others.filter((_, index) => following[index] === false);
      for (const server of astray) await server.send("REPLICAOF", "127.0.0.1", String(port)).catch(() => undefined);
      return astray.length === 0;
    };
    let killed: RedisProcess | undefined;
    return {
      sentinelPort: sentinel.port,
      name,
      async failOver() {
        const port = await masterPort();
        const master = servers.find((server) => server.port === port);
        if (master === undefined) throw new Error(`no server on port ${port} is known`);
        const killedAt = performance.now();
        killed = master;
        await master.kill("SIGKILL");
        await until("another one is the master", async () => (await masterPort()) !== port, { everyMs: 5 });
        return { killedAt, toldAt: performance.now() };
      },
      async mend() {
        await killed?.start();
        killed = undefined;
        await until("all others follow", followAll, { everyMs: 250 });
        await until("the Sentinel has done with it", isSettled);
      },
      stop,
    };
  } catch (caught) {
    await stop();
    throw caught;
  }
}
