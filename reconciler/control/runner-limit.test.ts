import { describe, expect, it } from "vitest";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm, type Dials } from "../simulator/dials.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { World } from "../simulator/world.js";

const minute = 60_000;
const conditionKey = "connection/forge/RunnerLimit";

async function aWorld(runnerLimit: number, dials: Partial<Dials> = {}, pool: Parameters<typeof aPool>[0] = {}): Promise<World> {
  const world = new World(3, checkAlways, { ...calm, ...dials });
  await world.declare([aHost()], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 600, ...pool })]);
  world.forge.runnerLimit = runnerLimit;
  world.start();
  await world.run(30_000);
  return world;
}
const end = async (world: World) => {
  await world.run(60 * minute, () => isQuiet(world));
  checkAtEnd(world);
  expect(world.violations).toEqual([]);
};
const reasons = (world: World) => world.store.list("job").map(({ value }) => value.waitingReason?.code);
const failures = (world: World) => world.store.events({ after: 0, limit: 10_000 }).filter(({ type }) => type === "MicrovmFailed");

describe("a forge that makes no more runners", () => {
  it("gets every job run all the same, one credential after the other, and no microVM is blamed", async () => {
    const world = await aWorld(3);
    const jobs = Array.from({ length: 12 }, () => world.forge.push(["vm"], 20_000, "success"));
    await world.run(15_000);
    const limited = world.store.get("condition", conditionKey)?.value;
    expect(limited).toMatchObject({ status: true, reason: "FR-FORGE-RUNNER-LIMIT" });
    expect(reasons(world).filter((code) => code === "FR-FORGE-RUNNER-LIMIT").length).toBeGreaterThanOrEqual(2);
    await end(world);
    expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => "success"));
    expect(failures(world)).toEqual([]);
    expect(world.store.get("condition", "class/pool/small/NoJobTaken")).toBeUndefined();
  });

  it("is asked again later and later, for one runner at a time, and begins no microVM meanwhile", async () => {
    const world = await aWorld(0);
    const since = world.log.length;
    for (let n = 0; n < 6; n++) world.forge.push(["vm"], 1_000, "success");
    await world.run(4 * minute);
    const made = world.log.slice(since).filter((line) => line.includes("createOnHost")).length;
    expect(made).toBeLessThanOrEqual(6);
    const tries = world.log.slice(since).flatMap((line) => (line.includes("makeRunner") ? [Number(line.split(" ")[0])] : []));
    const alone = tries.filter((at) => at - (tries[0] ?? 0) > 1_000);
    const pauses = alone.slice(1).map((at, index) => Math.round((at - (alone[index] ?? 0)) / 1_000));
    expect(pauses).toEqual([10, 20, 40, 80]);
    expect(reasons(world)).toEqual(Array.from({ length: 6 }, () => "FR-FORGE-RUNNER-LIMIT"));
    world.forge.runnerLimit = Number.POSITIVE_INFINITY;
    await end(world);
    expect(world.store.get("condition", conditionKey)).toBeUndefined();
  });

  it("keeps idle microVMs parked for when it makes some again", async () => {
    const world = await aWorld(1, {}, { minIdle: 1 });
    world.forge.push(["vm"], 1_000, "success");
    await world.run(2 * minute);
    world.forge.push(["vm"], 1_000, "success");
    await world.run(minute);
    // One was given to the first job before it was known that there are no runners; the presence runner has the only one.
    expect(world.store.list("microvm").map(({ value }) => value.phase)).toEqual(["parked", "parked"]);
    expect(world.store.list("identity").map(({ value }) => value.state)).toEqual(["wanted"]);
    expect(reasons(world)).toEqual(["FR-FORGE-RUNNER-LIMIT", "FR-FORGE-RUNNER-LIMIT"]);
    expect(failures(world)).toEqual([]);
    world.forge.runnerLimit = 3;
    await end(world);
  });

  it("leaves nothing and makes nothing twice when its answers are lost and it is busy besides", async () => {
    const world = await aWorld(4, { postAnswerLost: 0.3, forgeLimits: 0.1, forgeFails: 0.1 });
    for (let n = 0; n < 15; n++) world.forge.push(["vm"], 5_000, "success");
    await world.run(5 * minute);
    world.calmDown();
    await end(world);
  });
});

describe("a runner that somebody deletes in the forge", () => {
  it("before it took a job has its microVM replaced, which says why", async () => {
    const world = await aWorld(Number.POSITIVE_INFINITY);
    const job = world.forge.push(["vm"], 1_000, "success");
    await world.run(10_000, () => world.forge.runners.size === 1);
    world.forge.runners.clear();
    await end(world);
    expect(job.status).toBe("success");
    const told = failures(world).map(({ message }) => message);
    expect(told).toEqual(["FR-FORGE-RUNNER-DELETED: its runner was deleted in the forge before it took a job"]);
  });

  it("while its job runs changes nothing for the job", async () => {
    const world = await aWorld(Number.POSITIVE_INFINITY);
    const job = world.forge.push(["vm"], 3 * minute, "success");
    await world.run(20_000, () => job.status === "running");
    world.forge.runners.clear();
    await end(world);
    expect(job.status).toBe("success");
    expect(job.history).toEqual(["created", "pending", "running", "success"]);
  });
});
