import { describe, expect, it } from "vitest";
import { aConnection, aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm, type Dials } from "../simulator/dials.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { checkPresences, isPresenceRunner } from "../simulator/presence-invariants.js";
import { World } from "../simulator/world.js";

const minute = 60_000;
const hour = 60 * minute;

interface Of {
  readonly dials?: Partial<Dials>;
  readonly pool?: Parameters<typeof aPool>[0];
  readonly check?: (world: World) => void;
  readonly connection?: Parameters<typeof aConnection>[0];
}

async function aWorld({ dials, pool, connection, check = checkAlways }: Of = {}): Promise<World> {
  const world = new World(1, check, { ...calm, ...dials });
  await world.declare([aHost()], [aPool({ maxMicrovms: 1, maxJobTimeoutS: 20_000, idleTimeS: 20, ...pool })], aConnection(connection));
  world.start();
  await world.run(30_000);
  return world;
}

const presences = (world: World) => [...world.forge.runners.values()].filter(isPresenceRunner);
const asked = (world: World, step: string) => world.log.filter((line) => line.includes(`"step":"${step}"`) && line.endsWith(" ok")).length;

/** One job has the pool's only microVM for so long, and another waits for it. */
async function atItsLimit(world: World, forMs: number) {
  world.forge.push(["vm"], forMs, "success");
  await world.run(minute);
  const waiting = world.forge.push(["vm"], 1_000, "success");
  await world.run(forMs + 10 * minute, () => waiting.status !== "pending");
  return waiting;
}

describe("a class that is at its limit for two hours", () => {
  it("loses no job to the forge's rule of one hour, and its presence runner is gone ten minutes later", async () => {
    const world = await aWorld({ check: checkPresences });
    const waiting = await atItsLimit(world, 2 * hour + 10 * minute);
    expect(waiting.history).toEqual(["created", "pending", "running"]);
    expect(asked(world, "contact")).toBe(3);
    expect(presences(world)).toHaveLength(1);
    await world.run(10 * minute + 30_000);
    expect(presences(world)).toEqual([]);
    checkAtEnd(world);
    expect(world.violations).toEqual([]);
  });

  it("loses it when there are to be no presence runners, and said so before", async () => {
    const world = await aWorld({ connection: { presenceRunners: false }, check: checkPresences });
    const waiting = await atItsLimit(world, hour + 20 * minute);
    expect(waiting.history).toEqual(["created", "pending", "failed"]);
    expect(world.store.count("presence")).toBe(0);
    expect(world.log.some((line) => line.includes("tendPresence"))).toBe(false);
  });

  it("loses none when the service is killed again and again, and the forge's answers are lost", { timeout: 30_000 }, async () => {
    const world = await aWorld({ dials: { postAnswerLost: 0.3, forgeFails: 0.1 }, check: checkPresences });
    for (let n = 1; n <= 20; n++) {
      world.clock.after(6 * minute + (n % 2) * 46 * minute + n * 350, () => {
        world.crash();
        world.start();
      });
    }
    const waiting = await atItsLimit(world, hour + 20 * minute);
    expect(waiting.history).toEqual(["created", "pending", "running"]);
    world.calmDown();
    await world.run(30 * minute, () => isQuiet(world));
    checkAtEnd(world);
    expect(world.violations).toEqual([]);
  });
});

it("says of a job that waits for a quarter of an hour when the forge may fail it, unless a presence runner stands for it", async () => {
  const reason = async (presenceRunners: boolean) => {
    const world = await aWorld({ connection: { presenceRunners } });
    world.forge.push(["vm"], hour, "success");
    await world.run(minute);
    const { jobId, createdAt } = world.forge.push(["vm"], 1_000, "success");
    await world.run(15 * minute + 20_000);
    return {
      message: world.store.get("job", `forge/7/${jobId}`)?.value.waitingReason?.message,
      at: new Date(createdAt + hour).toISOString(),
    };
  };
  expect((await reason(true)).message).toBe('pool "pool" has its maxMicrovms of 1');
  const { message, at } = await reason(false);
  expect(message).toBe(`pool "pool" has its maxMicrovms of 1; from ${at} on the forge may fail it, unless it sees a runner for it`);
});

describe("a pool that keeps microVMs ready", () => {
  const warm = { pool: { minIdle: 1, maxMicrovms: 2 } };

  it("has one presence runner, of its class's own traits, which is made again when somebody deletes it", async () => {
    const world = await aWorld(warm);
    expect(presences(world).map(({ paused, request }) => [paused, request.tags, request.runUntagged])).toEqual([
      [false, ["vm", "small"], false],
    ]);
    const [first] = presences(world);
    world.forge.runners.delete(first?.runnerId ?? 0);
    await world.run(2 * minute);
    expect(presences(world)).toHaveLength(1);
    expect(presences(world)[0]?.runnerId).not.toBe(first?.runnerId);
    expect(world.violations).toEqual([]);
  });

  it("gets another when its tags change, and none when that is switched off", async () => {
    const world = await aWorld(warm);
    await world.declare([aHost()], [aPool({ minIdle: 1, maxMicrovms: 2, tags: ["vm", "fast"] })]);
    await world.run(minute);
    expect(presences(world).map(({ request }) => request.tags)).toEqual([["vm", "fast", "small"]]);
    await world.declare([aHost()], [aPool({ minIdle: 1, maxMicrovms: 2 })], aConnection({ presenceRunners: false }));
    await world.run(minute);
    expect(presences(world)).toEqual([]);
    expect(world.store.count("presence")).toBe(0);
  });

  it("has one again after the store was lost, and the one before is removed", async () => {
    const world = await aWorld(warm);
    const [first] = presences(world);
    await world.loseStore();
    await world.run(5 * minute);
    expect(presences(world)).toHaveLength(1);
    expect(presences(world)[0]?.runnerId).not.toBe(first?.runnerId);
    expect(world.violations).toEqual([]);
  });

  it("deletes one that is given a job although it is paused, and fails the job at once", async () => {
    const world = await aWorld({ pool: { minIdle: 1 }, check: () => {} });
    const [runner] = presences(world);
    // Somebody unpauses it in the very moment in which the service has paused it.
    const paused = world.forge.pauseRunner.bind(world.forge);
    world.forge.pauseRunner = async (connection, runnerId) => {
      const answer = await paused(connection, runnerId);
      if (runnerId === runner?.runnerId) Object.assign(runner, { paused: false });
      return answer;
    };
    world.forge.push(["vm"], hour, "success");
    await world.run(40 * minute);
    const waiting = world.forge.push(["vm"], 1_000, "success");
    await world.run(10 * minute, () => waiting.status === "failed");
    expect(waiting.runnerId).toBe(runner?.runnerId);
    await world.run(minute);
    expect(world.forge.runners.has(runner?.runnerId ?? 0)).toBe(false);
    const told = world.store.events({ after: 0, limit: 1_000 }).filter(({ type }) => type === "PresenceRunnerGivenJob");
    expect(told.map(({ message }) => message)).toEqual([
      `the paused presence runner of pool "pool", size "small" was given job ${waiting.jobId}; it was failed at once (runner_system_failure)`,
    ]);
  });
});
