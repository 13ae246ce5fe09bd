import { afterEach, describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { ManualClock } from "../model/manual-clock.fixture.js";
import { aHost } from "../plan/snapshot.fixture.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Store, View } from "../store/port.js";
import { fenced } from "./fenced.js";
import { sharedStoreLease } from "./lease-times.js";
import type { ControlPorts } from "./ports.js";
import { type Reconciler, startReconciler } from "./reconciler.js";

const { ttlMs, renewMs, standByMs, marginMs } = sharedStoreLease;

/** One replica on the store of all, and how its parts of the world can be taken away. */
interface Replica {
  readonly loop: Reconciler;
  /** When it asked the host for its microVMs. */
  readonly asked: number[];
  readonly told: (string | undefined)[];
  /** Whether it can reach the store; `late` fails every call after five seconds. */
  reaches: boolean | "late";
  /** What it knows of its view of the store. */
  view: View;
  /** While it stands still nothing calls it back. */
  held: (() => void)[] | undefined;
}

const outOfReach = () => new FireRunnerError("FR-STORE", "out of reach", { retryable: true });

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function fleetOf(count: number) {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const value = { spec: aHost(), generation: 1, order: 0, declaredAt: clock.now() };
  await store.commit({ writes: [{ kind: "host", key: value.spec.name, value, expect: "any" }] });
  const replicas = Array.from({ length: count }, (_, index) => aReplica(store, clock, index));
  await clock.advance(renewMs);
  return { clock, store, replicas, leading: () => replicas.filter(({ loop }) => loop.status().leading) };
}

function aReplica(store: Store, clock: ManualClock, index: number): Replica {
  const replica: Omit<Replica, "loop"> = { asked: [], told: [], reaches: true, view: { current: true }, held: undefined };
  const later = (callback: () => void) => () => (replica.held === undefined ? callback() : void replica.held.push(callback));
  const reached = async <T>(call: () => Promise<T>): Promise<T> => {
    if (replica.reaches === "late") await new Promise<void>((resolve) => clock.after(5_000, resolve));
    if (replica.reaches !== true) throw outOfReach();
    return call();
  };
  const ports = {
    store: {
      ...{ get: store.get.bind(store), list: store.list.bind(store), ready: () => replica.view },
      watch: (listener: Parameters<Store["watch"]>[0]) => store.watch((change) => later(() => replica.reaches && listener(change))()),
      acquireLease: (holder: string, ms: number) => reached(() => store.acquireLease(holder, ms)),
      releaseLease: (holder: string) => reached(() => store.releaseLease(holder)),
      commit: (batch: Parameters<Store["commit"]>[0]) => reached(() => store.commit(batch)),
    },
    flintlock: {
      async list() {
        replica.asked.push(clock.now());
        return [];
      },
      keepOnly() {},
    },
    forge: {},
    guest: { lastHeardAt: () => undefined },
    clock: { now: () => clock.now(), after: (ms: number, callback: () => void) => clock.after(ms, later(callback)) },
    random: new SeededRandom(index + 2),
    observer: { pass() {}, effect() {}, fault() {}, foundByPolling() {}, leads: (epoch: string | undefined) => replica.told.push(epoch) },
  } as unknown as ControlPorts;
  const schedules = { pollMs: 100, pollHealthyMs: 100, listHostsMs: 100, sweepMs: 60_000, settleMs: 5_000 };
  const loop = startReconciler(ports, { owner: "test", holder: `replica-${index}`, schedules, lease: sharedStoreLease });
  stops.push(async () => {
    replica.reaches = true;
    await loop.stop();
  });
  return Object.assign(replica, { loop });
}

describe("of several replicas on one store", () => {
  it("one leads, and goes on leading", async () => {
    const { clock, replicas, leading } = await fleetOf(3);
    const [first] = leading();
    await clock.advance(60_000);
    expect(leading()).toEqual([first]);
    expect(replicas.flatMap(({ told }) => told)).toHaveLength(1);
  });

  it("those that stand by have settled, as the one that leads", async () => {
    const { replicas } = await fleetOf(3);
    await Promise.all(replicas.map(({ loop }) => loop.settled()));
  });

  it("another one leads within five seconds of the leader's end without a word", async () => {
    const { clock, leading } = await fleetOf(3);
    for (let death = 0; death < 2; death += 1) {
      const [dead] = leading();
      // It may die right after it has renewed its lease.
      if (dead !== undefined) dead.held = [];
      await clock.advance(ttlMs + standByMs);
      expect(leading()).toHaveLength(1);
      expect(leading()).not.toContain(dead);
    }
    expect(ttlMs + standByMs).toBeLessThan(4_000);
  });

  it("the next one leads at once when the leader ends well, without waiting for its turn to ask", async () => {
    const { clock, store, leading } = await fleetOf(3);
    const [first] = leading();
    const before = clock.now();
    await first?.loop.stop();
    await clock.advance(0);
    await clock.advance(50);
    expect(leading()).toHaveLength(1);
    expect(clock.now() - before).toBeLessThan(standByMs);
    expect(store.events({ after: 0, limit: 10 }).map(({ type }) => type)).toEqual(["LeaderResigned"]);
  });

  it.each([
    ["refuses to renew its lease", false],
    ["does not answer in time", "late"],
  ] as const)("one whose store %s makes no more calls before another may lead, and says that it leads no more", async (_, reaches) => {
    const { clock, replicas, leading } = await fleetOf(2);
    const [cutOff] = leading();
    if (cutOff === undefined) throw new Error("nobody leads");
    cutOff.reaches = reaches;
    const cutAt = clock.now();
    await clock.advance(ttlMs);
    expect(cutOff.told).toEqual([expect.any(String), undefined]);
    await clock.advance(standByMs);
    expect(Math.max(...cutOff.asked)).toBeLessThan(cutAt + ttlMs - marginMs + 1);
    expect(cutOff.loop.look()).toBeUndefined();
    expect(cutOff.loop.sweepSoon()).toBe(false);
    expect(leading()).toEqual(replicas.filter((replica) => replica !== cutOff));
    cutOff.reaches = true;
    await clock.advance(10_000);
    expect(cutOff.told.at(-1)).toBeUndefined();
    expect(leading()).toHaveLength(1);
  });

  it("one that does not see what is committed begins no calls, though its lease lasts, and goes on when it does", async () => {
    const { clock, leading } = await fleetOf(2);
    const [blind] = leading();
    if (blind === undefined) throw new Error("nobody leads");
    await clock.advance(1_000);
    blind.view = { current: false, since: clock.now(), error: outOfReach() };
    const before = blind.asked.length;
    expect(before).toBeGreaterThan(0);
    await clock.advance(5_000);
    expect(blind.asked).toHaveLength(before);
    blind.view = { current: true };
    await clock.advance(60_000);
    expect(blind.asked.length).toBeGreaterThan(before);
    expect(leading()).toEqual([blind]);
  });

  it("one that stood still for a minute, and goes on, asks nobody anything while another leads", async () => {
    const { clock, leading } = await fleetOf(2);
    const [frozen] = leading();
    if (frozen === undefined) throw new Error("nobody leads");
    frozen.held = [];
    await clock.advance(60_000);
    const [second] = leading();
    const before = frozen.asked.length;
    const held = frozen.held;
    frozen.held = undefined;
    for (const missed of held) missed();
    await clock.advance(10_000);
    expect(frozen.asked).toHaveLength(before);
    expect(leading()).toEqual([second]);
  });
});

it("a fenced port makes no call that its check refuses, and passes all others on as they are", async () => {
  let mayCall = true;
  const calls: unknown[] = [];
  const port = {
    name: "a",
    async call(...args: number[]) {
      calls.push([this.name, ...args]);
      return args.length;
    },
  };
  const through = fenced(port, () => {
    if (!mayCall) throw new FireRunnerError("FR-NOT-LEADER", "too late");
  });
  expect(await through.call(1, 2)).toBe(2);
  mayCall = false;
  expect(() => through.call(3)).toThrow("too late");
  expect([through.name, calls]).toEqual(["a", [["a", 1, 2]]]);
});
