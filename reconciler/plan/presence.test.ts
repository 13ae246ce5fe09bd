import { describe, expect, it } from "vitest";
import type { Presence } from "../model/presence.js";
import { applyPlan, planUntilDone } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aConnection, aConnectionView, aJob, aPool, aPresence, aSnapshot, now } from "./snapshot.fixture.js";
import type { Snapshot } from "./snapshot.js";

const minute = 60_000;

const waits = (forMs: number) => aJob({ queuedAt: now - forMs });
/** A pool that makes nothing, so that only presence runners are decided on. */
const full = { pools: [{ spec: aPool({ maxMicrovms: 1 }), paused: true }] };
const look = (rest: Partial<Snapshot>) => {
  const snapshot = aSnapshot({ ...full, ...rest });
  const decided = plan(snapshot);
  return {
    presences: applyPlan(snapshot, decided).presences,
    steps: decided.effects.flatMap((effect) => (effect.kind === "tendPresence" ? [effect.step] : [])),
    wakeAt: decided.wakeAt,
  };
};

describe("a class", () => {
  it("gets a presence runner when a job of it has waited for five minutes, and not before", () => {
    const { presences, wakeAt } = look({ jobs: [waits(5 * minute - 1)] });
    expect(presences).toEqual([]);
    expect(wakeAt).toBe(now + 1);
    const { presences: made, steps } = look({ jobs: [waits(5 * minute), aJob({ jobId: 2, queuedAt: now - 9 * minute })] });
    expect(made).toMatchObject([{ pool: "pool", size: "small", tags: ["vm", "small"], state: "wanted", attempts: 1 }]);
    expect(made[0]?.description).toBe(`firerunner/owner/pool/${made[0]?.name}`);
    expect(steps).toEqual(["make"]);
  });

  it.each<[string, Partial<Parameters<typeof aPool>[0]>]>([
    ["always", { minIdle: 1 }],
    ["in some hours", { idlePolicies: [{ periods: ["* 8-17 * * *"], minIdle: 1, timezone: "UTC" }] }],
  ])("that keeps microVMs ready %s has one", (_when, pool) => {
    const { presences } = look({ pools: [{ spec: aPool(pool), paused: false }] });
    expect(presences).toMatchObject([{ pool: "pool", size: "small" }]);
  });

  it("asks nothing of a forge that cannot be read, and is forgotten with its pool", () => {
    const connections = [aConnectionView({ readAt: undefined })];
    const { presences, steps } = look({ pools: [{ spec: aPool({ minIdle: 1 }), paused: false }], connections });
    expect(presences).toMatchObject([{ state: "wanted", attempts: 0 }]);
    expect(steps).toEqual([]);
    expect(look({ pools: [], connections, presences }).presences).toEqual([]);
  });

  it("of another size has its own", () => {
    const jobs = [aJob({ tags: ["vm", "large"], queuedAt: now - 9 * minute }), aJob({ jobId: 2, queuedAt: now - 9 * minute })];
    expect(look({ jobs }).presences.map(({ size, tags }) => [size, tags])).toEqual([
      ["large", ["vm", "large"]],
      ["small", ["vm", "small"]],
    ]);
  });

  it("has none where its connection says so, or when no pool takes its jobs", () => {
    const connections = [aConnectionView({ spec: aConnection({ presenceRunners: false }) })];
    expect(look({ jobs: [waits(9 * minute)], connections }).presences).toEqual([]);
    expect(look({ jobs: [aJob({ tags: ["gpu"], queuedAt: now - 9 * minute })] }).presences).toEqual([]);
  });

  it("has one for each, however many there are", () => {
    const sizes = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`s${n}`, { vcpu: 1, memoryMb: 1024 }]));
    const jobs = Object.keys(sizes).map((size, n) => aJob({ jobId: n + 1, tags: ["vm", size], queuedAt: now - 9 * minute }));
    const pools = [{ spec: aPool({ sizes, size: "s0" }), paused: true }];
    const { after } = planUntilDone(aSnapshot({ pools, jobs }));
    expect(new Set(after.presences.map(({ size }) => size)).size).toBe(70);
    expect(new Set(after.presences.map(({ name }) => name)).size).toBe(70);
  });
});

describe("a presence runner that is needed", () => {
  const jobs = [waits(9 * minute)];
  const steps = (presence: Partial<Presence>, rest: Partial<Snapshot> = {}) =>
    look({ jobs, presences: [aPresence(presence)], ...rest }).steps;

  it("is taken from one state to the next, and is searched for after a try in doubt", () => {
    const { runnerId: _id, sealedToken: _token, heardAt: _heard, ...unmade } = aPresence({ state: "wanted" });
    expect(look({ jobs, presences: [unmade] }).steps).toEqual(["remake"]);
    expect(steps({ state: "paused" })).toEqual(["contact"]);
    expect(steps({ state: "heard" })).toEqual(["unpause"]);
    expect(steps({ heardAt: now - 45 * minute + 1 })).toEqual([]);
    expect(steps({ heardAt: now - 45 * minute })).toEqual(["pause"]);
    expect(steps({ heardAt: now + minute })).toEqual(["pause"]);
  });

  it("stays paused while a request of an earlier leader may still arrive", () => {
    expect(steps({ state: "heard" }, { listeningSince: now - 14_999 })).toEqual([]);
    expect(steps({ state: "heard" }, { listeningSince: now - 15_000 })).toEqual(["unpause"]);
  });

  it("is left alone while something is done with it", () => {
    expect(steps({ state: "paused" }, { effects: new Map([["presence:pr-one", { state: "in-flight" }]]) })).toEqual([]);
  });

  it("is needed again when it was not for a while", () => {
    const [presence] = look({ jobs, presences: [aPresence({ unneededSince: now - minute })] }).presences;
    expect(presence).toBeDefined();
    expect(presence).not.toHaveProperty("unneededSince");
  });

  it.each<[string, Partial<Presence>]>([
    ["other tags", { tags: ["vm"] }],
    ["another scope", { scope: { projectId: 7 } }],
    ["jobs without tags", { runUntagged: true }],
    ["jobs of protected refs only", { protectedOnly: true }],
  ])("is replaced when it stands for %s", (_what, presence) => {
    const { presences, steps: done } = look({ jobs, presences: [aPresence(presence)] });
    expect(presences.map(({ state }) => state)).toEqual(["leaving", "wanted"]);
    expect(presences[0]).not.toHaveProperty("sealedToken");
    expect(done).toEqual(["remove", "make"]);
  });

  it("is enough for its class: a second one is not needed", () => {
    const { presences } = look({ jobs, presences: [aPresence(), aPresence({ name: "pr-two", runnerId: 501 })] });
    expect(presences.map(({ name, unneededSince }) => [name, unneededSince])).toEqual([
      ["pr-one", undefined],
      ["pr-two", now],
    ]);
  });
});

describe("a presence runner that nothing needs", () => {
  it("is kept for ten minutes", () => {
    const first = look({ presences: [aPresence()] });
    expect(first.presences).toMatchObject([{ state: "present", unneededSince: now }]);
    expect(first.wakeAt).toBeLessThanOrEqual(now + 10 * minute);
    expect(look({ presences: [aPresence({ unneededSince: now - 10 * minute + 1 })] }).presences).toMatchObject([{ state: "present" }]);
    expect(look({ presences: [aPresence({ unneededSince: now - 10 * minute })] })).toMatchObject({
      presences: [{ state: "leaving" }],
      steps: ["remove"],
    });
  });

  it.each<[string, Partial<Snapshot>, readonly string[]]>([
    ["its pool is gone", { pools: [] }, ["remove"]],
    ["its pool drains", { pools: [{ spec: aPool(), paused: true, draining: true }] }, ["remove"]],
    ["it is switched off", { connections: [aConnectionView({ spec: aConnection({ presenceRunners: false }) })] }, ["remove"]],
    ["its connection is gone, and goes when that is there again", { connections: [] }, []],
  ])("goes at once when %s", (_what, rest, steps) => {
    const { presences, steps: done } = look({ jobs: [waits(9 * minute)], presences: [aPresence()], ...rest });
    expect(presences.filter(({ name }) => name === "pr-one")).toMatchObject([{ state: "leaving" }]);
    expect(done.filter((step) => step === "remove")).toEqual(steps);
  });

  it("is forgotten when the forge was never asked for it", () => {
    const { runnerId: _id, ...unmade } = aPresence({ state: "leaving", attempts: 0 });
    expect(look({ presences: [unmade] }).presences).toEqual([]);
  });
});
