import { describe, expect, it } from "vitest";
import { isFinished } from "../model/job.js";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm } from "../simulator/dials.js";
import type { SimulatedJob } from "../simulator/forge-workings.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { World } from "../simulator/world.js";

const minute = 60_000;
const awayMs = 20 * minute;

async function aWorld(seed: number, pool: Parameters<typeof aPool>[0] = {}): Promise<World> {
  const world = new World(seed, checkAlways, { ...calm });
  const host = (name: string, n: number) =>
    aHost({ name, network: { mode: "static", subnet: `10.20.${n}.0/28`, gateway: `10.20.${n}.1` } });
  await world.declare([host("here", 0), host("there", 1)], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 7_200, ...pool })]);
  world.start();
  await world.run(30_000);
  return world;
}

async function running(world: World, ...durationsMs: readonly number[]): Promise<readonly SimulatedJob[]> {
  const jobs = durationsMs.map((durationMs) => world.forge.push(["vm"], durationMs, "success"));
  await world.run(minute, () => jobs.every(({ status }) => status === "running"));
  expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => "running"));
  return jobs;
}

/** The microVM on which a job runs, as the service knows it. */
function microvmOf(world: World, job: SimulatedJob) {
  const uid = [...world.guests.running].find(([, other]) => other === job)?.[0];
  return world.store.list("microvm").find(({ value }) => value.uid === uid)?.value;
}

async function end(world: World): Promise<void> {
  await world.run(60 * minute, () => isQuiet(world));
  checkAtEnd(world);
  expect(world.violations).toEqual([]);
}

const created = (world: World): readonly string[] => world.log.filter((line) => line.includes("createOnHost") && line.endsWith(" ok"));

describe("a host that disappears for ten minutes while its guests go on", () => {
  it.each([
    ["and are heard", false],
    ["and are not heard either", true],
  ])("keeps what runs there %s; new jobs run elsewhere, and nothing is left when it returns", async (_what, isolated) => {
    const world = await aWorld(2, { minIdle: 1 });
    world.operate("there", "cordon");
    const [short, long] = await running(world, 5 * minute, 15 * minute);
    world.undo();
    const before = created(world).length;
    world.hosts.cutOff("here", 10 * minute);
    if (isolated) world.isolateGuests("here", 10 * minute);
    // One comes before anybody can know, the others while it is known.
    const early = world.forge.push(["vm"], 5_000, "success");
    await world.run(2 * minute);
    const late = [1, 2, 3].map(() => world.forge.push(["vm"], 5_000, "success"));
    await world.run(7 * minute);
    expect([short, early, ...late].map((job) => job?.status)).toEqual(Array(5).fill("success"));
    expect(long?.status).toBe("running");
    const since = created(world).slice(before);
    expect(since.length).toBeGreaterThanOrEqual(3);
    expect(since.filter((line) => line.includes('"host":"here"'))).toEqual([]);
    await end(world);
    // What it hosts is known again, and it takes new ones.
    world.operate("there", "cordon");
    await running(world, 5_000);
    world.undo();
    await end(world);
  });
});

describe("a service that is away for twenty minutes", () => {
  const ways: readonly [string, (world: World) => Promise<void>][] = [
    [
      "because it was stopped",
      async (world) => {
        await Promise.all([world.stop(), world.run(awayMs)]);
        world.start();
      },
    ],
    [
      "because it was killed",
      async (world) => {
        world.crash();
        await world.run(awayMs);
        world.start();
      },
    ],
    [
      "because its process was frozen",
      async (world) => {
        world.freeze();
        await world.run(awayMs);
        world.thaw();
      },
    ],
    [
      "frozen, while another one leads",
      async (world) => {
        world.start();
        await world.run(1_000);
        world.freeze();
        await world.run(awayMs);
        world.thaw();
      },
    ],
  ];

  it.each(ways)("%s deletes no microVM for its silence, and each job ends once", async (_how, goAway) => {
    // Whatever was under way at that moment may be in any state.
    for (let seed = 1; seed <= 4; seed++) {
      const world = await aWorld(seed, { minIdle: 1 });
      const [long] = await running(world, 40 * minute, 10 * minute);
      world.forge.push(["vm"], 5_000, "success");
      await world.run(seed * 700);
      world.clock.after(5 * minute, () => world.forge.push(["vm"], 5_000, "success"));
      await goAway(world);
      await world.run(3 * minute);
      expect(world.violations).toEqual([]);
      expect(long && microvmOf(world, long)).toMatchObject({ phase: "busy" });
      await end(world);
    }
  });
});

describe("a clock that is set", () => {
  it.each([
    ["forward by twenty minutes", [awayMs]],
    ["back by twenty minutes", [-awayMs]],
    ["forward and then back", [awayMs, -awayMs]],
    ["back and then forward", [-awayMs, awayMs]],
  ])("%s deletes no microVM for its silence; jobs go on, end once, and new ones are served at once", async (_how, steps) => {
    for (let seed = 1; seed <= 4; seed++) {
      const world = await aWorld(seed, { minIdle: 1 });
      const [long, short] = await running(world, 40 * minute, 2 * minute);
      await world.run(seed * 700);
      for (const step of steps) {
        world.setClock(step);
        const job = world.forge.push(["vm"], 5_000, "success");
        await world.run(90_000, () => isFinished(job.status));
        expect(job.status).toBe("success");
        await world.run(2 * minute);
        expect(world.violations).toEqual([]);
        expect(long && microvmOf(world, long)).toMatchObject({ phase: "busy" });
      }
      expect(short?.status).toBe("success");
      await end(world);
    }
  });
});
