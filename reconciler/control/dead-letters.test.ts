import { describe, expect, it } from "vitest";
import type { DeadLetter } from "../model/dead-letter.js";
import { FireRunnerError } from "../model/errors.js";
import { plan } from "../plan/plan.js";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm } from "../simulator/dials.js";
import { refuseCalls } from "../simulator/forge-trouble.fixture.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { World } from "../simulator/world.js";

const minute = 60_000;
const hour = 60 * minute;

async function aWorld(): Promise<World> {
  const world = new World(1, checkAlways, { ...calm });
  await world.declare([aHost()], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 7_200, maxMicrovms: 3 })]);
  world.start();
  await world.run(30_000);
  return world;
}
const end = async (world: World) => {
  await world.run(2 * hour, () => isQuiet(world));
  checkAtEnd(world);
  expect(world.violations).toEqual([]);
};
const letters = (world: World): DeadLetter[] => world.store.list("deadLetter").map(({ value }) => value);
const keys = (world: World): string[] => world.store.list("deadLetter").map(({ key }) => key);
const tried = (world: World, kind: string) => world.log.filter((line) => line.split(" ")[1] === kind).length;
const events = (world: World, type: string) => world.store.events({ after: 0, limit: 5_000 }).filter((event) => event.type === type);
const ask = (world: World, key: string, what: "retry" | "drop") => {
  const letter = world.store.get("deadLetter", key);
  if (letter === undefined) throw new Error(`no letter ${key}`);
  const value = { ...letter.value, asked: { what, by: "ada", at: world.now() } };
  return world.store.commit({ writes: [{ kind: "deadLetter", key, value, expect: letter.revision }] });
};
const broken = new FireRunnerError("FR-FORGE-UNREACHABLE", "GitLab answered 500", { retryable: true });

/** Calls about one runner or job fail from here on, all others go well. */
function refuse(world: World, call: "deleteRunner" | "readJob", isIt: (id: number) => boolean): { mend(): void } {
  const real = Reflect.get(world.forge, call) as (...args: unknown[]) => Promise<unknown>;
  let isBroken = true;
  Reflect.set(world.forge, call, async (...args: unknown[]) => {
    if (isBroken && isIt(Number(args.at(-1)))) throw broken;
    return real.apply(world.forge, args);
  });
  return {
    mend: () => {
      isBroken = false;
    },
  };
}

describe("a removal that keeps failing", () => {
  it("is told of after an hour and tried every ten minutes, holds up nobody, and goes by itself when it succeeds", async () => {
    const world = await aWorld();
    let poisoned = 0;
    const refusal = refuse(world, "deleteRunner", (runnerId) => {
      poisoned ||= runnerId;
      return runnerId === poisoned;
    });
    world.forge.push(["vm"], 2_000, "success");
    await world.run(55 * minute);
    expect(poisoned).toBeGreaterThan(0);
    expect(letters(world)).toEqual([]);
    await world.run(10 * minute, () => letters(world).length > 0);
    const [letter] = letters(world);
    expect(letter).toMatchObject({ action: "deleteRunner", target: { runnerId: poisoned }, tried: "slowly" });
    expect(letter?.attempts).toBeGreaterThan(100);
    expect(letter?.failures).toHaveLength(10);
    expect(letter?.failures.at(-1)).toMatchObject({ code: "FR-FORGE-UNREACHABLE", message: "GitLab answered 500" });
    expect(events(world, "DeadLetter").map(({ message }) => message)).toEqual([
      expect.stringMatching(/^deleteRunner of .*GitLab answered 500; it is tried every 10 minutes/),
    ]);
    await world.run(1_000);
    expect(world.store.get("condition", "connection/forge/DeadLetters")?.value).toMatchObject({ status: true, reason: "KeptFailing" });

    const before = tried(world, "deleteRunner");
    await world.run(hour);
    expect(tried(world, "deleteRunner") - before).toBeGreaterThanOrEqual(5);
    expect(tried(world, "deleteRunner") - before).toBeLessThanOrEqual(6);
    // Others are served and removed as always; another leader knows of it, and is in no greater hurry.
    const job = world.forge.push(["vm"], 2_000, "success");
    await world.run(2 * minute);
    expect(job.status).toBe("success");
    world.crash();
    world.start();
    const known = letters(world);
    const atRestart = tried(world, "deleteRunner");
    await world.run(5 * minute);
    expect(tried(world, "deleteRunner") - atRestart).toBeLessThanOrEqual(1);
    expect(letters(world)[0]?.firstFailureAt).toBe(known[0]?.firstFailureAt);

    refusal.mend();
    await end(world);
    expect(letters(world)).toEqual([]);
    expect(events(world, "DeadLetterSettled")).toHaveLength(1);
    expect(world.store.get("condition", "connection/forge/DeadLetters")).toBeUndefined();
  });

  it("is tried at once when somebody asks for it", async () => {
    const world = await aWorld();
    const refusal = refuse(world, "deleteRunner", () => true);
    world.forge.push(["vm"], 2_000, "success");
    await world.run(70 * minute, () => letters(world).length > 0);
    await world.run(minute);
    const before = tried(world, "deleteRunner");
    await ask(world, keys(world)[0] ?? "", "retry");
    await world.run(minute);
    expect(tried(world, "deleteRunner")).toBe(before + 1);
    expect(letters(world)[0]?.asked).toBeUndefined();
    refusal.mend();
    await ask(world, keys(world)[0] ?? "", "retry");
    await world.run(minute, () => letters(world).length === 0);
    expect(letters(world)).toEqual([]);
  });
});

describe("a hint whose job cannot be read", () => {
  const hinted = async (world: World) => {
    const refusal = refuse(world, "readJob", (jobId) => jobId === 99);
    const hint = { connection: "forge", projectId: 7, jobId: 99, firstSeenAt: world.now(), hookedAt: world.now() };
    await world.store.commit({ writes: [{ kind: "hint", key: "forge/7/99", value: hint, expect: "absent" }] });
    await world.run(10 * minute, () => letters(world).length > 0);
    expect(keys(world)).toEqual(["readJob:forge/7/99"]);
    return refusal;
  };

  it("is not read any more until somebody asks, while all other jobs are", async () => {
    const world = await aWorld();
    const refusal = await hinted(world);
    const reads = () => world.log.filter((line) => line.includes(" readJob ") && line.includes('"jobId":99')).length;
    const before = reads();
    const job = world.forge.push(["vm"], 2_000, "success");
    await world.run(20 * minute);
    expect([reads(), job.status]).toEqual([before, "success"]);
    refusal.mend();
    await ask(world, "readJob:forge/7/99", "retry");
    await world.run(minute);
    expect([reads(), keys(world)]).toEqual([before + 1, []]);
    await end(world);
  });

  it("is forgotten when somebody drops it, and by itself after an hour", async () => {
    const world = await aWorld();
    await hinted(world);
    await ask(world, "readJob:forge/7/99", "drop");
    await world.run(minute);
    expect([keys(world), world.store.count("hint")]).toEqual([[], 0]);
    await hinted(world);
    await world.run(hour);
    await world.run(minute);
    expect([keys(world), world.store.count("hint")]).toEqual([[], 0]);
    await end(world);
  });
});

it("nothing is set aside because a forge is away for hours: nothing is wrong with what is asked of it", async () => {
  const world = await aWorld();
  const job = world.forge.push(["vm"], 30 * minute, "success");
  await world.run(minute, () => job.status === "running");
  refuseCalls(world.forge, () => (world.clock.now() < 1_700_000_000_000 + 3 * hour ? broken : undefined));
  await world.run(3 * hour);
  expect(events(world, "DeadLetter")).toEqual([]);
  await end(world);
  expect(keys(world)).toEqual([]);
});

describe("a record that no plan can be made with", () => {
  it("is left out and told of, and everything else goes on", async () => {
    const world = new World(1, checkAlways, { ...calm });
    await world.declare([aHost()], [aPool({ idleTimeS: 20, bootTimeoutS: 60, maxMicrovms: 3 })]);
    let isBroken = true;
    world.decide = (snapshot) => {
      if (isBroken && snapshot.jobs.some(({ name }) => name === "job 1")) throw new TypeError("nothing to read of undefined");
      return plan(snapshot);
    };
    world.start();
    await world.run(30_000);
    const jobs = [["vm", "large"], ["vm"], ["vm"], ["vm"]].map((tags) => world.forge.push(tags, 2_000, "success"));
    await world.run(2 * minute);
    const poison = world.store.list("job").find(({ value }) => value.name === "job 1");
    expect(poison).toBeDefined();
    expect(jobs.map(({ status }) => status)).toEqual(["pending", "success", "success", "success"]);
    expect(world.violations).toEqual([]);
    expect(letters(world)).toEqual([
      expect.objectContaining({
        action: "decide",
        target: { connection: "forge", record: { kind: "job", key: poison?.key } },
        tried: "never",
        attempts: 1,
        failures: [expect.objectContaining({ code: "FR-INTERNAL", message: "deciding failed: nothing to read of undefined" })],
      }),
    ]);
    expect(world.leading()?.look()?.jobs).toHaveLength(3);
    // A better program is started in its place.
    isBroken = false;
    world.crash();
    world.start();
    await end(world);
    expect([jobs[0]?.status, letters(world)]).toEqual(["success", []]);
  });
});
