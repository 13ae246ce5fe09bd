import { describe, expect, it } from "vitest";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm, type Dials } from "../simulator/dials.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { World } from "../simulator/world.js";
import { ownStoreLease, sharedStoreLease } from "./lease-times.js";

const minute = 60_000;

async function aWorld(dials: Partial<Dials> = {}, pool: Parameters<typeof aPool>[0] = {}): Promise<World> {
  const world = new World(1, checkAlways, { ...calm, ...dials });
  await world.declare([aHost()], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 600, ...pool })]);
  world.start();
  return world;
}
const end = async (world: World) => {
  await world.run(30 * minute, () => isQuiet(world));
  checkAtEnd(world);
  expect(world.violations).toEqual([]);
};
const made = (world: World) => world.log.filter((line) => line.includes("createOnHost")).length;
const sent = (world: World, kind: string) => world.log.filter((line) => line.split(" ")[1] === kind).length;

describe("one job", () => {
  it.each<[string, Partial<Dials>]>([
    ["when its hooks come", {}],
    ["when each hook comes three times", { hookDoubled: 1 }],
    ["when no hook comes and it is over between two polls", { hookLost: 1 }],
  ])("gets one microVM %s", async (_what, dials) => {
    const world = await aWorld(dials);
    await world.run(30_000);
    world.forge.push(["vm"], 500, "success");
    await end(world);
    expect(made(world)).toBe(1);
  });

  it("that is cancelled while its microVM boots leaves it to the next one", async () => {
    const world = await aWorld();
    await world.run(30_000);
    const job = world.forge.push(["vm"], 500, "success");
    await world.run(600);
    world.forge.cancel(job, false);
    await world.run(2_000);
    world.forge.push(["vm"], 500, "success");
    await end(world);
    expect(made(world)).toBe(1);
  });

  it("that outlives the forge's being readable is not touched", async () => {
    const world = await aWorld();
    await world.run(30_000);
    const job = world.forge.push(["vm"], 200_000, "success");
    await world.run(20_000, () => job.status === "running");
    world.forge.cutOff(150_000);
    await end(world);
    expect(job.status).toBe("success");
  });
});

it("gives a stolen credential no second job", async () => {
  const world = await aWorld({ tokenStolen: 1 }, { maxMicrovms: 1 });
  await world.run(30_000);
  for (let n = 0; n < 3; n++) world.forge.push(["vm"], 5_000, "success");
  await end(world);
  expect(made(world)).toBe(3);
});

describe("a pool that is full", () => {
  it("serves twenty jobs with two microVMs at a time", async () => {
    const world = await aWorld({}, { maxMicrovms: 2 });
    await world.run(30_000);
    for (let n = 0; n < 20; n++) world.forge.push(["vm"], 1_000, "success");
    await end(world);
    expect(made(world)).toBe(20);
  });

  it("does not make and remove idle microVMs in turn for the sake of another size", async () => {
    const world = await aWorld({}, { maxMicrovms: 2, minIdle: 2 });
    await world.run(30_000);
    expect(world.hosts.machines.size).toBe(2);
    world.forge.push(["vm", "large"], 20_000, "success");
    await end(world);
    // Two idle ones, one large, and one that fills the place it left.
    expect(made(world)).toBe(4);
  });
});

describe("the loop", () => {
  it("does little while nothing happens", async () => {
    const world = await aWorld({}, { minIdle: 1 });
    await world.run(minute);
    const before = world.passes;
    await world.run(10 * minute);
    expect(world.passes - before).toBeLessThan(10 * 60);
  });

  it("checks what a connection may do at its start, and then every ten minutes", async () => {
    const world = await aWorld();
    await world.run(9 * minute);
    expect(sent(world, "checkConnection")).toBe(1);
    expect(world.store.get("condition", "connection/forge/Usable")?.value).toMatchObject({ status: true });
    await world.run(2 * minute);
    expect(sent(world, "checkConnection")).toBe(2);
  });

  it("is told of a poll that is wanted at once", async () => {
    const world = await aWorld();
    await world.run(31_000);
    const before = sent(world, "poll");
    world.pollSoon();
    await world.run(500);
    expect(sent(world, "poll")).toBe(before + 1);
  });

  it("sweeps at once when it is asked to, and only the one that leads", async () => {
    const world = await aWorld();
    world.start();
    await world.run(31_000);
    const kinds = ["listHost", "poll", "sweepRunners"];
    const before = kinds.map((kind) => sent(world, kind));
    expect(world.leading()?.sweepSoon()).toBe(true);
    await world.run(500);
    const more = kinds.map((kind, index) => sent(world, kind) - (before[index] ?? 0));
    expect(more.every((times) => times >= 1)).toBe(true);
    world.crash();
    expect(world.leading()?.sweepSoon()).toBeUndefined();
  });

  it("shows what it sees, and nothing happens of that", async () => {
    const world = await aWorld();
    await world.run(31_000);
    const before = world.log.length;
    const seen = world.leading()?.look();
    expect(seen?.hosts.map(({ standing, observation }) => [standing, observation !== undefined])).toEqual([["open", true]]);
    expect(world.log).toHaveLength(before);
  });

  it("leads again when the one before it has gone without a word", async () => {
    const world = await aWorld();
    await world.run(10_000);
    world.start();
    world.forge.push(["vm"], 500, "success");
    world.crash();
    await end(world);
  });
});

it("has settled when it has done what waited for it at its start, and not before", async () => {
  const world = new World(1, checkAlways, calm);
  await world.declare([aHost()], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 600 })]);
  world.forge.push(["vm"], 500, "success");
  world.start();
  await world.run(minute, () => world.leading() !== undefined);
  let settled = false;
  void world
    .leading()
    ?.settled()
    .then(() => {
      settled = true;
    });
  await world.run(minute, () => made(world) > 0);
  expect(settled).toBe(false);
  await world.run(minute, () => settled);
  expect([settled, made(world)]).toEqual([true, 1]);
});

it("goes on renewing its lease when its clock was set back, so that another process need not wait for the time before", async () => {
  const world = await aWorld();
  await world.run(minute);
  world.setClock(-20 * minute);
  await world.run(20_000);
  world.crash();
  world.start();
  await world.run(minute);
  expect(world.leading()?.status().leading).toBe(true);
});

it("that stood by once goes on renewing its lease when its clock is set back to that time", async () => {
  const world = await aWorld();
  await world.run(10_000);
  world.start();
  world.crash();
  await world.run(60_000);
  world.setClock(-50_000);
  await world.run(5 * minute);
  const { leading, passedAt = 0 } = world.leading()?.status() ?? {};
  expect(leading).toBe(true);
  expect(world.now() - passedAt).toBeLessThan(20_000);
});

it("leads at once when the clock was set back after the one before it had gone", async () => {
  const world = await aWorld();
  await world.run(minute);
  world.crash();
  world.setClock(-20 * minute);
  world.start();
  await world.run(15_000);
  expect(world.leading()?.status().leading).toBe(true);
});

it("decides nothing anew when it only renews its lease", async () => {
  const world = new World(1, checkAlways);
  await world.declare([aHost()], [aPool({})]);
  world.lease = sharedStoreLease;
  world.start();
  await world.run(5 * minute);
  const { passes } = world;
  await world.run(minute);
  expect(minute / sharedStoreLease.renewMs).toBeGreaterThan(80);
  expect(world.passes - passes).toBeLessThan(40);
});

it("does at its next renewal what became due when its clock was set forward", async () => {
  const world = await aWorld();
  await world.run(minute);
  const swept = sent(world, "sweepRunners");
  world.setClock(50_000);
  await world.run(ownStoreLease.renewMs + 1_000);
  expect(sent(world, "sweepRunners")).toBe(swept + 1);
});

it.each([1, 26, 9_600])(
  "serves a job and leaves nothing behind when its clock was %i hours ahead while another ran, and is set right",
  async (hours) => {
    const world = await aWorld();
    world.setClock(hours * 60 * minute);
    await world.run(minute);
    world.forge.push(["vm"], 20_000, "success");
    await world.run(15_000);
    world.setClock(-hours * 60 * minute);
    world.forge.push(["vm"], 2_000, "success");
    await end(world);
    expect([...world.forge.jobs.values()].map(({ history }) => history.join())).toEqual(Array(2).fill("created,pending,running,success"));
  },
);
