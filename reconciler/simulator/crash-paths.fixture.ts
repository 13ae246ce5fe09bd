import type { PoolInput } from "../model/pool.js";
import type { Crossing, Fate } from "./boundary.js";
import { simulatedHost, simulatedPool } from "./fleet.js";
import type { SimulatedJob } from "./forge-workings.js";
import { checkAlways, checkAtEnd, isQuiet } from "./invariants.js";
import { World } from "./world.js";

const minute = 60_000;
/** However a process dies on its way, what was to happen happens within this. */
const promptlyMs = 5 * minute;

/** A way through the service, from a state in which everything is at rest to the next. */
interface CrashPath {
  readonly pool: Partial<PoolInput>;
  /** Brings the world to where the way begins. */
  readonly prepare: (world: World) => Promise<void>;
  /** Begins it, and tells when its end is reached. */
  readonly begin: (world: World) => () => boolean;
}

const nothing = async (): Promise<void> => {};
const push = (world: World, durationMs: number): SimulatedJob => world.forge.push(["vm"], durationMs, "success");
const runs = async (world: World, durationMs: number): Promise<SimulatedJob> => {
  const job = push(world, durationMs);
  await world.run(minute, () => world.store.list("microvm").some(({ value }) => value.phase === "busy"));
  return job;
};
const busy = async (world: World): Promise<void> => void (await runs(world, 20_000));
const parked = (world: World): boolean => world.store.list("microvm").some(({ value }) => value.phase === "parked");

/** The ways that everything goes. What a process calls on them is recorded, not written down here. */
export const crashPaths: Readonly<Record<string, CrashPath>> = {
  create: {
    pool: {},
    prepare: nothing,
    begin(world) {
      const job = push(world, 10_000);
      return () => job.status === "running" || job.status === "success";
    },
  },
  assign: {
    pool: { minIdle: 1 },
    prepare: (world) => world.run(minute, () => parked(world)),
    begin(world) {
      const job = push(world, 10_000);
      return () => job.status === "running" || job.status === "success";
    },
  },
  finish: {
    pool: {},
    prepare: busy,
    begin: (world) => () => [...world.forge.jobs.values()].every(({ status }) => status === "success") && isQuiet(world),
  },
  delete: {
    pool: { minIdle: 1, scaleFactor: 0 },
    prepare: (world) => world.run(minute, () => parked(world)),
    begin(world) {
      for (const host of ["host-0", "host-1"]) world.operate(host, "drain");
      return () => world.hosts.machines.size === 0 && world.store.count("microvm") === 0;
    },
  },
  failover: {
    pool: { minIdle: 1 },
    async prepare(world) {
      await busy(world);
      world.start();
      await world.run(15_000);
    },
    begin(world) {
      world.crash();
      return () => [...world.forge.jobs.values()].every(({ status }) => status === "success") && isQuiet(world);
    },
  },
  loss: {
    pool: { onVmLoss: "cancel-and-retry" },
    async prepare(world) {
      await runs(world, 10 * minute);
      for (const machine of world.hosts.machines.values()) world.guests.die(machine);
      await world.run(50_000);
    },
    begin: (world) => () => [...world.forge.jobs.values()].some(({ retryOf, status }) => retryOf !== undefined && status === "running"),
  },
  adopt: {
    pool: { minIdle: 1 },
    prepare: busy,
    begin(world) {
      void world.loseStore();
      return () => isQuiet(world);
    },
  },
};

/** The calls that a process makes on a path, in their order. */
export async function recordPath(path: CrashPath): Promise<readonly Crossing[]> {
  const crossings: Crossing[] = [];
  const world = await walk(path, (crossing) => {
    crossings.push(crossing);
    return "lives";
  });
  if (world.violations.length > 0) throw new Error(world.violations.join("\n"));
  return crossings;
}

/** Walks a path again, on which the process dies at its n-th call; what went wrong then. */
export async function crashAt(path: CrashPath, recorded: readonly Crossing[], n: number, fate: Fate): Promise<readonly string[]> {
  let calls = 0;
  let met: Crossing | undefined;
  const world = await walk(path, (crossing) => {
    if (calls++ !== n) return "lives";
    met = crossing;
    return fate;
  });
  const expected = recorded[n];
  if (met?.call !== expected?.call || met?.about !== expected?.about) world.violate(`the call was not ${JSON.stringify(expected)} again`);
  return world.violations;
}

async function walk(path: CrashPath, fate: (crossing: Crossing) => Fate): Promise<World> {
  const world = new World(1, checkAlways);
  const hosts = [0, 1].map((n) =>
    simulatedHost({ name: `host-${n}`, network: { mode: "static", subnet: `10.20.${n}.0/28`, gateway: `10.20.${n}.1` } }),
  );
  const pool = simulatedPool({ idleTimeS: 20, bootTimeoutS: 60, maxJobTimeoutS: 3_600, maxMicrovms: 3, ...path.pool });
  await world.declare(hosts, [pool]);
  world.start();
  await world.run(5_000);
  await path.prepare(world);
  world.fate = fate;
  const isDone = path.begin(world);
  await world.run(promptlyMs, isDone);
  if (!isDone()) world.violate("I7: the end of the path was not reached");
  world.fate = () => "lives";
  world.undo();
  await world.run(60 * minute, () => isQuiet(world));
  if (world.violations.length === 0) checkAtEnd(world);
  return world;
}
