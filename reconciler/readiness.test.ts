import { expect, it } from "vitest";
import { declareConnection, newStore } from "./http/listeners.fixture.js";
import { systemClock } from "./model/clock.js";
import { readReadiness } from "./readiness.js";
import type { Store } from "./store/port.js";

const replica = { name: "a", leading: false, storeLagMs: 0, replicas: 2 };
const read = (store: Store, clock = systemClock, change: Partial<Parameters<typeof readReadiness>[0]> = {}) =>
  readReadiness({
    store,
    clock,
    observer: { lastAnswer: () => undefined },
    standing: () => replica,
    leader: () => undefined,
    isEnding: () => false,
    ...change,
  });

it("a store that can be written is well; the lead and what was not asked yet are told but not required", async () => {
  const store = newStore();
  await declareConnection(store);
  expect((await read(store)).checks).toEqual([
    { name: "store", ok: true, required: true },
    { name: "leader", ok: false, required: false, message: "no process is known to lead (yet)" },
    { name: "connection/gitlab", ok: false, required: false, message: "only the replica that leads asks it" },
  ]);
  await store.stop();
});

it("a store that refuses is required and not well", async () => {
  const store = newStore();
  await store.stop();
  const [check] = (await read(store)).checks;
  expect(check).toMatchObject({ name: "store", ok: false, required: true, message: expect.stringContaining("FR-STORE") });
});

it("a store that hangs is not waited for", async () => {
  const store = newStore();
  const hanging: Store = Object.assign(Object.create(store), { commit: () => new Promise(() => undefined) });
  const clock = {
    now: () => 0,
    after(_ms: number, callback: () => void) {
      queueMicrotask(callback);
      return () => undefined;
    },
  };
  expect((await read(hanging, clock)).checks[0]).toMatchObject({ ok: false, message: expect.stringContaining("took longer than 2 s") });
  await store.stop();
});

it("who leads is told, and where this process stands", async () => {
  const store = newStore();
  const leading = { ...replica, leading: true, epoch: "3-ab" };
  expect(await read(store, systemClock, { leader: () => "b" })).toMatchObject({
    checks: [{ name: "store" }, { name: "leader", ok: true, message: "b leads" }],
    replica,
  });
  expect(await read(store, systemClock, { standing: () => leading })).toMatchObject({
    checks: [{ name: "store" }, { name: "leader", ok: true, message: "this process leads" }],
    replica: leading,
  });
  await store.stop();
});

it("one that is about to end is to be given no more work", async () => {
  const store = newStore();
  const [check] = (await read(store, systemClock, { isEnding: () => true })).checks;
  expect(check).toEqual({ name: "running", ok: false, required: true, message: "this process ends" });
  await store.stop();
});
