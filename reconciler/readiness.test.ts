import { expect, it } from "vitest";
import { declareConnection, newStore } from "./http/listeners.fixture.js";
import { systemClock } from "./model/clock.js";
import { readReadiness } from "./readiness.js";
import type { Store } from "./store/port.js";

const read = (store: Store, clock = systemClock) =>
  readReadiness({ store, clock, observer: { lastAnswer: () => undefined }, leading: () => false });

it("a store that can be written is well; the lead and what was not asked yet are told but not required", async () => {
  const store = newStore();
  await declareConnection(store);
  expect((await read(store)).checks).toEqual([
    { name: "store", ok: true, required: true },
    { name: "leader", ok: false, required: false, message: "this process does not lead (yet)" },
    { name: "connection/gitlab", ok: false, required: false, message: "not asked yet" },
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
