import { describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm, type Dials } from "../simulator/dials.js";
import { deleteProject, refuseCalls } from "../simulator/forge-trouble.fixture.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { World } from "../simulator/world.js";

const minute = 60_000;
const hour = 60 * minute;

/** A world without a fault, in which one pool of three microVMs serves jobs of up to two hours. */
async function aWorld(pool: Parameters<typeof aPool>[0] = {}, dials: Partial<Dials> = {}): Promise<World> {
  const world = new World(1, checkAlways, { ...calm, ...dials });
  await world.declare([aHost()], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 7_200, maxMicrovms: 3, ...pool })]);
  world.start();
  await world.run(30_000);
  return world;
}
const end = async (world: World) => {
  await world.run(2 * hour, () => isQuiet(world));
  checkAtEnd(world);
  expect(world.violations).toEqual([]);
};
const sent = (world: World, kind: string) => world.log.filter((line) => line.split(" ")[1] === kind).length;
const events = (world: World, type: string) => world.store.events({ after: 0, limit: 1_000 }).filter((event) => event.type === type);
const unauthorized = (status: number, message: string) => new FireRunnerError("FR-FORGE-UNAUTHORIZED", message, { details: { status } });

describe("a forge that is away for an hour", () => {
  it("loses no job, doubles none, gets nothing new made after a minute, and is served again without a restart", async () => {
    const world = await aWorld({ maxMicrovms: 2 });
    const jobs = [world.forge.push(["vm"], 15 * minute, "success"), world.forge.push(["vm"], 5_000, "success")];
    await world.run(minute, () => jobs.every(({ status }) => status !== "pending"));
    jobs.push(world.forge.push(["vm"], 2_000, "success"));
    world.forge.cutOff(hour);
    await world.run(2 * minute);
    const before = sent(world, "createOnHost");
    jobs.push(world.forge.push(["vm"], 2_000, "success"));
    await world.run(57 * minute);
    expect(sent(world, "createOnHost")).toBe(before);
    expect(world.store.list("job").filter(({ value }) => value.waitingReason?.code === "FR-CONNECTION-STALE").length).toBeGreaterThan(0);
    await world.run(5 * minute, () => jobs.slice(1).every(({ status }) => status === "success"));
    expect(jobs.slice(1).map(({ status }) => status)).toEqual(jobs.slice(1).map(() => "success"));
    await end(world);
    expect(jobs[0]?.history).toEqual(["created", "pending", "running", "success"]);
  });
});

describe("a token", () => {
  it("that has expired is told of, stops nothing that runs, and is followed by a good one without a restart", async () => {
    const world = await aWorld();
    const runs = world.forge.push(["vm"], 20 * minute, "success");
    await world.run(minute, () => runs.status === "running");
    let expired = true;
    const error = unauthorized(401, "reading jobs: GitLab answered 401; the token env:TOKEN is wrong, expired or revoked");
    refuseCalls(world.forge, () => (expired ? error : undefined));
    const waits = world.forge.push(["vm"], 2_000, "success");
    await world.run(12 * minute);
    expect(world.store.get("condition", "connection/forge/Usable")?.value).toMatchObject({
      status: false,
      reason: "FR-FORGE-UNAUTHORIZED",
      message: error.message,
    });
    expect(runs.status).toBe("running");
    // It is asked again and again, but not in a rush.
    expect(world.log.filter((line) => line.endsWith("failed")).length).toBeLessThan(12 * 60);
    expired = false;
    await world.run(2 * minute, () => waits.status === "success");
    expect(waits.status).toBe("success");
    const usable = () => world.store.get("condition", "connection/forge/Usable")?.value.status;
    await world.run(3 * minute, () => usable() === true);
    expect(usable()).toBe(true);
    await end(world);
    expect(runs.status).toBe("success");
  });

  it("of too little scope is named with the call that it may not make, and the job is left to the forge", async () => {
    const world = await aWorld({ onVmLoss: "cancel" });
    const message = "cancelling job 1 of project 7: GitLab answered 403; the token env:TOKEN needs the scope api";
    refuseCalls(world.forge, (call) => (call === "cancelJob" ? unauthorized(403, message) : undefined));
    const job = world.forge.push(["vm"], 20 * minute, "success");
    await world.run(minute, () => job.status === "running");
    for (const machine of world.hosts.machines.values()) world.guests.die(machine);
    await world.run(3 * minute);
    expect(world.store.get("condition", "connection/forge/EndsLostJobs")?.value).toMatchObject({ status: false, message });
    expect(sent(world, "cancelJob")).toBe(1);
    expect(events(world, "LostJobLeft").map((event) => event.message)).toEqual([expect.stringContaining(message)]);
    await end(world);
    expect(job.status).toBe("failed");
  });
});

describe("a project that is deleted", () => {
  it("takes its jobs out of the records and its microVMs with it, and nothing is asked for ever", async () => {
    const world = await aWorld();
    for (let n = 0; n < 5; n++) world.forge.push(["vm"], 30 * minute, "success");
    await world.run(2 * minute, () => [...world.forge.jobs.values()].filter(({ status }) => status === "running").length === 3);
    deleteProject(world.forge);
    await end(world);
    expect(world.store.count("job")).toBe(0);
    const before = ["readJob", "pauseRunner", "deleteRunner", "createOnHost", "confirmLoss"].map((kind) => sent(world, kind));
    await world.run(10 * minute);
    expect(["readJob", "pauseRunner", "deleteRunner", "createOnHost", "confirmLoss"].map((kind) => sent(world, kind))).toEqual(before);
  });
});

describe("a forge whose clock is another", () => {
  it.each([
    ["two hours ahead", 2 * hour],
    ["two days ahead", 48 * hour],
    ["two hours behind", -2 * hour],
    ["two days behind", -48 * hour],
  ])("by %s has its jobs run as always", async (_what, aheadMs) => {
    const world = await aWorld({ maxMicrovms: 2, maxJobTimeoutS: 600 });
    world.forge.clockAheadMs = aheadMs;
    const jobs = [300_000, 2_000, 2_000, 2_000].map((durationMs) => world.forge.push(["vm"], durationMs, "success"));
    await end(world);
    expect(jobs.map(({ history }) => history.join())).toEqual(jobs.map(() => "created,pending,running,success"));
    expect(sent(world, "createOnHost")).toBe(4);
  });
});

describe("a microVM that is lost over its job", () => {
  const lose = async (onVmLoss: "report" | "cancel" | "cancel-and-retry", dials: Partial<Dials> = {}) => {
    const world = await aWorld({ onVmLoss });
    const job = world.forge.push(["vm"], 10 * minute, "success");
    await world.run(minute, () => job.status === "running");
    Object.assign(world.dials, dials);
    for (const machine of world.hosts.machines.values()) world.guests.die(machine);
    return { world, job };
  };
  const retriesOf = (world: World) => [...world.forge.jobs.values()].filter(({ retryOf }) => retryOf !== undefined);

  it("is told of, and the forge fails the job in its own time", async () => {
    const { world, job } = await lose("report");
    await end(world);
    expect(job.status).toBe("failed");
    expect(events(world, "JobLost")).toHaveLength(1);
    expect(sent(world, "cancelJob")).toBe(0);
  });

  it("has its job cancelled, by force where nobody answers", async () => {
    const { world, job } = await lose("cancel");
    await world.run(4 * minute, () => job.status === "canceled");
    expect(job.status).toBe("canceled");
    await end(world);
    expect(retriesOf(world)).toEqual([]);
  });

  it("has its job retried, and that one's loss is no reason for another retry", async () => {
    const { world } = await lose("cancel-and-retry");
    await world.run(5 * minute, () => retriesOf(world)[0]?.status === "running");
    for (const machine of world.hosts.machines.values()) world.guests.die(machine);
    await end(world);
    expect(retriesOf(world).map(({ status }) => status)).toEqual(["canceled"]);
    expect(events(world, "LostJobLeft").map(({ message }) => message)).toEqual([expect.stringContaining("FR-JOB-RETRIED-BEFORE")]);
  });

  it("has its job retried once although answers are lost and the service is killed over and over", async () => {
    const { world } = await lose("cancel-and-retry", { postAnswerLost: 0.7 });
    for (let n = 0; n < 8; n++) {
      // From when the loss is known on: whoever starts listens for a minute before it takes a guest for lost.
      world.clock.after(70_000 + n * 15_000, () => {
        world.crash();
        world.start();
      });
    }
    await world.run(8 * minute, () => retriesOf(world).length > 0);
    world.calmDown();
    await end(world);
    expect(retriesOf(world).map(({ status }) => status)).toEqual(["success"]);
  });
});
