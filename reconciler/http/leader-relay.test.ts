import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../model/clock.js";
import { aSnapshot } from "../plan/snapshot.fixture.js";
import { createMetrics } from "../telemetry/metrics.js";
import { startAdminListener } from "./admin-listener.js";
import { createDeclarations } from "./declarations.js";
import { createLeaderRelay, type Leader } from "./leader-relay.js";
import { aLoop, keptLog, newStore, oneOfEach, onLoopback } from "./listeners.fixture.js";
import type { LoopView } from "./loop-view.js";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const key = "5a".repeat(32);
const leads = (): Partial<LoopView> => ({ look: () => aSnapshot(), sweepSoon: () => true });

async function replica(token: string, view: Partial<LoopView>, leader: () => Leader | undefined, itsKey = key) {
  const store = newStore();
  const loop = aLoop(view);
  const declarations = createDeclarations({ store, clock: systemClock });
  await declarations.put("host", "rack-1", oneOfEach.host);
  const listener = await startAdminListener({
    ...{ listener: onLoopback, store, declarations, clock: systemClock, token, metrics: createMetrics(), logger: keptLog().logger },
    loop,
    readiness: () => ({ checks: [] }),
    replicas: () => [],
    jobLog: async () => undefined,
    relay: createLeaderRelay({ clock: systemClock, leads: () => loop.look() !== undefined, key: itsKey, leader }),
  });
  ends.push(async () => {
    await listener.stop();
    await store.stop();
  });
  const call = (path: string, method = "GET", headers = {}) =>
    fetch(`${listener.url}${path}`, { method, headers: { authorization: `Bearer ${token}`, ...headers } });
  return { url: listener.url, call, store };
}

describe("a replica that stands by", () => {
  it("answers what only the leader knows as the leader does, with a token of its own", async () => {
    const leader = await replica("token-of-a", leads(), () => undefined);
    const other = await replica("token-of-b", {}, () => ({ name: "a", adminUrl: leader.url }));
    for (const path of ["/v1/plan", "/v1/gc", "/v1/host-statuses", "/v1/hosts/rack-1/status"]) {
      const [own, relayed] = [await leader.call(path), await other.call(path)];
      expect([path, relayed.status, relayed.headers.get("x-firerunner-answered-by")]).toEqual([path, 200, "a"]);
      expect(Object.keys((await relayed.json()) as object)).toEqual(Object.keys((await own.json()) as object));
    }
    expect((await other.call("/v1/gc", "POST")).status).toBe(202);
    expect((await other.call("/v1/hosts/nobody/status")).status).toBe(404);
    expect((await other.call("/v1/hosts/rack-1/forget", "POST", { "x-firerunner-by": "mara" })).status).toBe(200);
    expect(leader.store.list("operation").map(({ value }) => value.by)).toEqual(["mara"]);
    // What the store knows is answered here.
    expect((await other.call("/v1/hosts/rack-1")).headers.get("x-firerunner-answered-by")).toBeNull();
  });

  it("says that it does not lead when the leader cannot be asked, or leads no more, and what it knows itself all the same", async () => {
    const deposed = await replica("a", {}, () => ({ name: "b", adminUrl: "http://127.0.0.1:1" }));
    for (const adminUrl of ["http://127.0.0.1:1", deposed.url]) {
      const other = await replica("b", {}, () => ({ name: "a", adminUrl }));
      const plan = await other.call("/v1/plan");
      expect([plan.status, await plan.json()]).toEqual([503, expect.objectContaining({ code: "FR-NOT-LEADER" })]);
      expect((await other.call("/v1/hosts/rack-1/status")).status).toBe(200);
    }
  });

  it("is believed only with the key of all, and for the very request that it passes on", async () => {
    const leader = await replica("a", leads(), () => undefined);
    const stranger = await replica("b", {}, () => ({ name: "a", adminUrl: leader.url }), "6b".repeat(32));
    expect((await stranger.call("/v1/plan")).status).toBe(503);
    for (const relayed of ["", "x", `${Date.now()}.${"0".repeat(64)}`]) {
      expect((await fetch(`${leader.url}/v1/plan`, { headers: { "x-firerunner-relayed": relayed } })).status).toBe(401);
    }
  });
});
