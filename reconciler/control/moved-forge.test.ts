import { expect, it } from "vitest";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm } from "../simulator/dials.js";
import { simulatedConnection } from "../simulator/fleet.js";
import { World } from "../simulator/world.js";

const minute = 60_000;

it("a connection that is declared at another GitLab touches none of the runners that have the same numbers there", async () => {
  const world = new World(1, () => {}, calm);
  const hosts = [aHost()];
  const pools = [aPool({ maxMicrovms: 2, idleTimeS: 20, onVmLoss: "cancel-and-retry" })];
  await world.declare(hosts, pools);
  world.start();
  const jobs = [1, 2, 3].map(() => world.forge.push(["vm"], 5 * minute, "success"));
  await world.run(2 * minute, () => jobs.filter(({ status }) => status === "running").length === 2);
  const ours = [...world.forge.runners.keys()];
  expect(ours.length).toBeGreaterThanOrEqual(2);

  world.forge.clear();
  for (const runnerId of ours) {
    const request = { description: `theirs ${runnerId}`, tags: ["theirs"], runUntagged: false, maxJobTimeoutS: 3600 };
    world.forge.runners.set(runnerId, { runnerId, token: `glrt-${runnerId}`, request, paused: false, contactedAt: undefined, took: [] });
  }
  await world.declare(hosts, pools, simulatedConnection({ url: "https://another.example.com" }));
  await world.run(90 * minute, () => world.store.count("microvm") + world.store.count("identity") + world.store.count("job") === 0);

  // What the old one's jobs ran on is gone with the guests' own word, and what was left there is not looked for here.
  expect([world.store.count("microvm"), world.store.count("identity"), world.store.count("job")]).toEqual([0, 0, 0]);
  const left = [...world.forge.runners.values()].map(({ runnerId, paused, request }) => ({ runnerId, paused, is: request.description }));
  expect(left).toEqual(ours.map((runnerId) => ({ runnerId, paused: false, is: `theirs ${runnerId}` })));
  const next = world.forge.push(["vm"], 5_000, "success");
  await world.run(10 * minute, () => next.status === "success");
  expect(next.history).toEqual(["created", "pending", "running", "success"]);
});
