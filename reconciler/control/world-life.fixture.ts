import type { PoolInput } from "../model/pool.js";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { World } from "./world.fixture.js";
import { WorldRandom } from "./world-clock.fixture.js";
import type { WorldJob } from "./world-forge.fixture.js";
import { checkAlways, checkAtEnd, isQuiet } from "./world-invariants.fixture.js";

const minute = 60_000;

/** A world of two or three hosts and two pools in which everything that can go wrong does, and then stops to. */
export async function live(seed: number): Promise<World> {
  const world = new World(seed, checkAlways);
  const random = new WorldRandom(seed ^ 0x5eed);
  const hosts = Array.from({ length: random.between(1, 3) }, (_, n) =>
    aHost({
      name: `host-${n}`,
      capacity: { vcpu: 8, memoryMb: 8192, microvms: random.between(2, 6) },
      network: random.chance(0.7) ? { mode: "static", subnet: `10.20.${n}.0/28`, gateway: `10.20.${n}.1` } : { mode: "dhcp" },
    }),
  );
  const onVmLoss = new WorldRandom(seed ^ 0x1055).pick(["report", "cancel", "cancel-and-retry", "cancel-and-retry"] as const);
  const limits = { maxJobTimeoutS: 300, bootTimeoutS: 60, idleTimeS: 20, onVmLoss };
  const rules = new WorldRandom(seed ^ 0x70015);
  await world.declare(hosts, [
    aPool({
      ...limits,
      maxMicrovms: random.between(1, 6),
      minIdle: random.between(0, 1),
      limits: { vcpu: 2, memoryMb: 4096 },
      ...someRules(rules),
    }),
    aPool({ ...limits, name: "other", tags: ["other"], maxMicrovms: random.between(1, 3), priority: 1 }),
    aPool({ ...limits, name: "guarded", tags: ["guarded"], maxMicrovms: 2, accessLevel: "ref_protected", projectIds: [7, 8] }),
    aPool({ ...limits, name: "unguarded", tags: ["guarded"], maxMicrovms: 2, maxMicrovmsPerProject: 1 }),
  ]);
  world.start();
  const tags: [string[], ...string[][]] = [["vm"], ["vm", "large"], ["vm", "small"], ["other"]];
  for (let n = random.between(2, 12); n > 0; n--) {
    world.clock.after(random.between(0, minute), () => {
      const job = world.forge.push(random.pick(tags), random.pick([200, 2_000, 10_000, 40_000]), random.chance(0.8) ? "success" : "failed");
      if (random.chance(world.dials.jobCancelled)) world.clock.after(random.between(0, 20_000), () => world.forge.cancel(job));
    });
  }
  for (const host of hosts) {
    if (random.chance(0.2))
      world.clock.after(random.between(0, minute), () => world.hosts.cutOff(host.name, random.between(1_000, 90_000)));
  }
  if (random.chance(0.2)) world.clock.after(random.between(0, minute), () => world.forge.cutOff(random.between(1_000, 90_000)));
  if (random.chance(0.2)) world.start();
  if (random.chance(0.1)) {
    world.clock.after(random.between(0, minute), () => {
      void world.stop().then(() => world.start());
    });
  }
  if (random.chance(0.15)) world.clock.after(random.between(20_000, minute), () => void world.loseStore());
  for (let crashes = random.chance(0.4) ? random.between(1, 3) : 0; crashes > 0; crashes--) {
    world.clock.after(random.between(0, minute), () => {
      world.crash();
      world.start();
    });
  }
  const operator = new WorldRandom(seed ^ 0x09e7a7e);
  for (const host of hosts) operateOn(world, host.name, operator);
  for (let n = operator.chance(0.3) ? 2 : 0; n > 0; n--)
    world.clock.after(operator.between(0, minute), () => world.forge.push(["vm", "2cpu-2gb"], 2_000, "success"));
  pushRefs(world, rules);
  loseTime(world, new WorldRandom(seed ^ 0x7135e));
  troubleRunners(world, new WorldRandom(seed ^ 0x9a55));
  await world.run(90_000);
  world.thaw();
  world.calmDown();
  world.forge.runnerLimit = Number.POSITIVE_INFINITY;
  world.undo();
  await world.run(30 * minute, () => isQuiet(world));
  // Whatever was late by then has come.
  await world.run(2 * minute);
  await world.run(10 * minute, () => isQuiet(world));
  checkAtEnd(world);
  return world;
}

/** Sometimes what is kept ready changes every few minutes, or follows what is in use, and projects have quotas. */
function someRules(random: WorldRandom): Partial<PoolInput> {
  const idlePolicies = [{ periods: ["*/3 * * * *"], timezone: "Asia/Kolkata", minIdle: random.between(0, 1), idleTimeS: 5 }];
  return {
    ...(random.chance(0.3) ? { idlePolicies } : {}),
    ...(random.chance(0.3) ? { scaleFactor: 0.5, scaleFactorLimit: 2 } : {}),
    ...(random.chance(0.3) ? { maxMicrovmsPerProject: random.between(1, 2) } : {}),
  };
}

type Ref = Pick<WorldJob, "ref" | "refIsTag">;

/** Sometimes jobs come of protected refs and of others, which two pools share. */
function pushRefs(world: World, random: WorldRandom): void {
  const refs: [Ref, ...Ref[]] = [
    { ref: "main", refIsTag: false },
    { ref: "feature", refIsTag: false },
    { ref: "v1", refIsTag: true },
  ];
  for (let n = random.chance(0.4) ? random.between(1, 4) : 0; n > 0; n--) {
    world.clock.after(random.between(0, minute), () => {
      const origin = { projectId: random.pick([7, 8]), ...random.pick(refs) };
      world.forge.push(random.pick([["guarded"], ["vm"]]), 2_000, "success", undefined, origin);
    });
  }
}

/** Now and then the leading process stands still for a while, or the service's clock is set. */
function loseTime(world: World, random: WorldRandom): void {
  if (random.chance(0.15)) {
    world.clock.after(random.between(0, minute), () => {
      world.freeze();
      world.clock.after(random.between(1_000, minute), () => world.thaw());
    });
  }
  if (random.chance(0.15)) {
    const byMs = random.pick([-1, 1]) * random.between(100, 3 * minute);
    world.clock.after(random.between(0, minute), () => world.setClock(byMs));
  }
}

/**
 * Now and then the forge's plan allows few runners, or somebody deletes some of ours: not one whose job runs, because when the
 * store is lost as well nobody knows any more that it does.
 */
function troubleRunners(world: World, random: WorldRandom): void {
  if (random.chance(0.2)) world.forge.runnerLimit = random.between(1, 5);
  for (let n = random.chance(0.2) ? random.between(1, 3) : 0; n > 0; n--) {
    world.clock.after(random.between(0, minute), () => {
      const idle = [...world.forge.runners.values()].find(({ took }) => took.length === 0);
      if (idle !== undefined) world.forge.runners.delete(idle.runnerId);
    });
  }
}

/** Now and then a host is cordoned or drained, or its machine is gone for good and forgotten. */
function operateOn(world: World, host: string, random: WorldRandom): void {
  if (!random.chance(0.3)) return;
  const what = random.pick(["cordon", "drain", "drain", "forget"] as const);
  const afterMs = random.between(0, minute);
  world.clock.after(afterMs, () => {
    if (what === "forget") world.hosts.destroy(host, world.clock.now() + 2 * minute);
    const deadlineAt = what === "drain" && random.chance(0.7) ? world.clock.now() + random.between(0, 20_000) : undefined;
    world.operate(host, what, deadlineAt);
  });
}
