import { describe, expect, it } from "vitest";
import { aHost, aPool, aVm } from "../plan/snapshot.fixture.js";
import { calm } from "../simulator/dials.js";
import type { SimulatedJob } from "../simulator/forge-workings.js";
import { checkAlways } from "../simulator/invariants.js";
import { isPresenceRunner } from "../simulator/presence-invariants.js";
import type { Machine } from "../simulator/simulated-hosts.js";
import { World } from "../simulator/world.js";

const minute = 60_000;

interface Fleet {
  readonly world: World;
  readonly busy: readonly SimulatedJob[];
  /** The machines by what they do at this moment. */
  readonly machines: Readonly<Record<"busy" | "parked" | "unclaimed", readonly Machine[]>>;
  /** What is somebody else's, and must be there for ever. */
  readonly foreign: readonly string[];
}

/** MicroVMs on some hosts, ten for each: four run jobs, four are parked, two have not claimed. Beside them stands what is not ours. */
async function aFleet(hostCount: number): Promise<Fleet> {
  const [many, few] = [4 * hostCount, 2 * hostCount];
  let checkedAt = 0;
  const checkNowAndThen = (world: World) => {
    if (world.clock.now() < checkedAt + 500) return;
    checkedAt = world.clock.now();
    checkAlways(world);
  };
  const world = new World(5, checkNowAndThen, { ...calm });
  const hosts = Array.from({ length: hostCount }, (_, n) =>
    aHost({
      name: `host-${n}`,
      capacity: { vcpu: 16, memoryMb: 16_384, microvms: 12 },
      network: { mode: "static", subnet: `10.20.${n}.0/24`, gateway: `10.20.${n}.1` },
    }),
  );
  const limits = { maxMicrovms: 60, maxJobTimeoutS: 1800, bootTimeoutS: 600, idleTimeS: 600 };
  await world.declare(hosts, [aPool({ ...limits, minIdle: many }), aPool({ ...limits, name: "slow", tags: ["slow"] })]);
  world.start();
  const phase = (machine: Machine) => world.store.get("microvm", machine.record.name)?.value.phase ?? "";
  const count = (...phases: readonly string[]) => [...world.hosts.machines.values()].filter((one) => phases.includes(phase(one))).length;
  await world.run(2 * minute, () => count("parked") === many);
  const busy = Array.from({ length: many }, () => world.forge.push(["vm"], 5 * minute, "success"));
  await world.run(2 * minute, () => count("busy") === many && count("parked") === many);
  world.dials.guestNeverBoots = 1;
  for (let n = 0; n < few; n++) world.forge.push(["slow"], 1_000, "success");
  await world.run(minute, () => count("booting") === few);
  world.dials.guestNeverBoots = 0;
  const machines = [...world.hosts.machines.values()];
  const other = world.forge.addRunner("firerunner/somebody/pool/vm-theirs");
  // A host that is full of ours has no room for others.
  const ownOn = (host: string) => machines.filter((machine) => machine.host === host).length;
  const roomiest = hosts.map(({ name }) => name).toSorted((a, b) => ownOn(a) - ownOn(b))[0] ?? "";
  const foreign = [addMachine(world, roomiest, "fr-sim", 240), addMachine(world, "host-1", "fr-somebody", 241), String(other)];
  return {
    world,
    busy,
    machines: {
      busy: machines.filter((machine) => phase(machine) === "busy"),
      parked: machines.filter((machine) => phase(machine) === "parked"),
      unclaimed: machines.filter((machine) => ["creating", "booting"].includes(phase(machine))),
    },
    foreign,
  };
}

/** A machine of somebody else: it stands there and says nothing. */
function addMachine(world: World, host: string, namespace: string, n: number): string {
  const uid = `FOREIGN-${namespace}`;
  const record = aVm({ name: `vm-${namespace}`, host, address: `10.20.9.${n}/24`, mac: `02:00:00:00:09:${n.toString(16)}` });
  world.hosts.machines.set(uid, { host, uid, namespace, record, metadata: {}, sentAt: 0, madeAt: 0, state: "created", retry: 0, on: true });
  return uid;
}

const left = (world: World, machines: readonly Machine[]) => machines.filter(({ uid }) => world.hosts.machines.has(uid)).length;
const standing = (world: World, foreign: readonly string[]) =>
  foreign.filter((id) => world.hosts.machines.has(id) || world.forge.runners.has(Number(id)));

describe("when the store is lost", () => {
  it("while fifty microVMs are on five hosts jobs go on and end, what has no job is removed, and nothing else is touched", {
    timeout: 30_000,
  }, async () => {
    const { world, busy, machines, foreign } = await aFleet(5);
    expect([machines.busy.length, machines.parked.length, machines.unclaimed.length]).toEqual([20, 20, 10]);
    const presencesBefore = [...world.forge.runners.values()].filter(isPresenceRunner).map(({ runnerId }) => runnerId);
    expect(presencesBefore).toHaveLength(1);
    await world.loseStore();
    await world.run(2 * minute);
    expect(busy.map(({ status }) => status)).toEqual(busy.map(() => "running"));
    expect([left(world, machines.busy), left(world, machines.parked), left(world, machines.unclaimed)]).toEqual([20, 0, 0]);
    expect(world.store.list("microvm").filter(({ value }) => value.job !== undefined)).toHaveLength(20);
    await world.run(5 * minute);
    expect(busy.map(({ status, history }) => [status, history.length])).toEqual(busy.map(() => ["success", 4]));
    expect([...world.forge.jobs.values()].filter(({ status }) => status !== "success")).toEqual([]);
    expect(left(world, machines.busy)).toBe(0);
    expect(standing(world, foreign)).toEqual(foreign);
    // Twenty are kept ready again, and one presence runner that is not the one before.
    expect(world.hosts.machines.size).toBe(20 + 2);
    const runners = [...world.forge.runners.values()].filter(isPresenceRunner);
    expect(runners).toHaveLength(1);
    expect(presencesBefore).not.toContain(runners[0]?.runnerId);
    expect(world.forge.runners.size).toBe(2);
    expect(world.violations).toEqual([]);
  });

  it("nothing of a pool is touched that is not declared again yet", { timeout: 30_000 }, async () => {
    const { world, machines, foreign } = await aFleet(2);
    const slowRunners = [...world.forge.runners.values()].filter(({ request }) => request.description.includes("/slow/"));
    await world.loseStore((kind, name) => kind !== "pool" || name !== "slow");
    await world.run(4 * minute);
    expect(left(world, machines.unclaimed)).toBe(4);
    expect(slowRunners.every(({ runnerId, paused }) => world.forge.runners.has(runnerId) && !paused)).toBe(true);
    expect(left(world, machines.parked)).toBe(0);
    await world.people.declareAgain();
    await world.run(2 * minute);
    expect(left(world, machines.unclaimed)).toBe(0);
    expect(slowRunners.some(({ runnerId }) => world.forge.runners.has(runnerId))).toBe(false);
    expect(standing(world, foreign)).toEqual(foreign);
    expect(world.violations).toEqual([]);
  });

  it("nothing at all is touched while the forge cannot be read", async () => {
    const { world, machines } = await aFleet(2);
    const runners = world.forge.runners.size;
    world.forge.cutOff(3 * minute);
    await world.loseStore();
    await world.run(3 * minute - 1_000);
    expect([left(world, machines.busy), left(world, machines.parked), left(world, machines.unclaimed)]).toEqual([8, 8, 4]);
    expect([...world.forge.runners.values()].filter(({ paused }) => !paused)).toHaveLength(runners - 8);
    await world.run(2 * minute);
    expect([left(world, machines.parked), left(world, machines.unclaimed)]).toEqual([0, 0]);
    expect(world.violations).toEqual([]);
  });
});
