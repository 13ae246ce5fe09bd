import { expect, it } from "vitest";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm } from "../simulator/dials.js";
import { checkAlways, checkAtEnd, isQuiet } from "../simulator/invariants.js";
import { World } from "../simulator/world.js";

const minute = 60_000;

/** Runs a job to its end and tells on which host, and whether that host used the image for the first time. */
async function runOne(world: World) {
  const job = world.forge.push(["vm"], 5_000, "success");
  let seen: readonly [string, boolean] | undefined;
  await world.run(5 * minute, () => {
    const vm = world.store.list("microvm").find(({ value }) => value.committedAt !== undefined)?.value;
    if (vm !== undefined) seen ??= [vm.host, vm.firstUse === true];
    return job.status === "success" && world.store.count("microvm") === 0;
  });
  return seen;
}

it("a host that has run an image gets its next microVMs, also of the process that follows, until it is another machine", async () => {
  const world = new World(1, checkAlways, calm);
  const names = ["host-a", "host-b", "host-c"];
  const hosts = names.map((name, n) =>
    aHost({ name, network: { mode: "static", subnet: `10.20.${n}.0/24`, gateway: `10.20.${n}.1` }, labels: { at: name } }),
  );
  const pool = aPool({ idleTimeS: 0 });
  await world.declare(hosts, [aPool({ ...pool, placement: { selector: { at: "host-b" } } })]);
  world.start();
  expect(await runOne(world)).toEqual(["host-b", true]);

  await world.declare(hosts, [pool]);
  expect(await runOne(world)).toEqual(["host-b", false]);
  world.crash();
  world.start();
  expect(await runOne(world)).toEqual(["host-b", false]);

  const moved = hosts.map((host) => (host.name === "host-b" ? { ...host, endpoint: "127.0.0.1:9999" } : host));
  await world.declare(moved, [pool]);
  expect(await runOne(world)).toEqual(["host-a", true]);
  expect(world.store.list("hostImages").map(({ key, value }) => [key, value.images.length])).toEqual([["host-a", 2]]);
  await world.run(5 * minute, () => isQuiet(world));
  checkAtEnd(world);
  expect(world.violations).toEqual([]);
});
