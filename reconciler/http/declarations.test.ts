import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fleetSchema } from "../model/fleet.js";
import type { Store } from "../store/port.js";
import { createDeclarations, type Declarations } from "./declarations.js";
import { fleetInput, newStore, oneOfEach } from "./listeners.fixture.js";

const { image, pool } = oneOfEach;
let store: Store;
let declarations: Declarations;

beforeEach(() => {
  store = newStore();
  declarations = createDeclarations({ store, clock: { now: () => 7 } });
});
afterEach(() => store.stop());

const images = (...names: string[]) => fleetSchema.parse({ images: names.map((name) => ({ ...image, name })) });
const inOrder = () =>
  store
    .list("image")
    .toSorted((a, b) => a.value.order - b.value.order)
    .map(({ key }) => key);

describe("the order of a kind", () => {
  it("is that of the file, and new records come after everything", async () => {
    await declarations.apply(images("c", "a", "b"));
    expect(inOrder()).toEqual(["c", "a", "b"]);
    await declarations.put("image", "d", { ...image, name: "d" });
    expect(inOrder()).toEqual(["c", "a", "b", "d"]);
  });

  it("of those that are named again follows the file; the others keep their places, and no generation moves", async () => {
    await declarations.apply(images("a", "b", "c"));
    const applied = await declarations.apply(images("c", "a"));
    expect(applied.map(({ name, outcome, generation }) => [name, outcome, generation])).toEqual([
      ["c", "reordered", 1],
      ["a", "reordered", 1],
    ]);
    expect(inOrder()).toEqual(["c", "b", "a"]);
  });

  it("of a pool's sizes counts as its specification: they are tried in it", async () => {
    await declarations.apply(fleetSchema.parse(fleetInput));
    const sizes = { small: pool.sizes.small, large: { vcpu: 4, memoryMb: 4096 } };
    const turned = { large: sizes.large, small: sizes.small };
    const outcome = async (value: object) => (await declarations.put("pool", "small", { ...pool, sizes: value })).outcome;
    expect([await outcome(sizes), await outcome(sizes), await outcome(turned)]).toEqual(["changed", "unchanged", "changed"]);
  });
});

describe("at the same time", () => {
  it("a pool that needs an image and the image's removal: one of them is refused", async () => {
    await declarations.apply(fleetSchema.parse({ ...fleetInput, pools: [] }));
    const [put, removal] = await Promise.allSettled([declarations.put("pool", "small", pool), declarations.remove("image", "base")]);
    expect([put.status, removal.status]).toEqual(["fulfilled", "rejected"]);
    const [removed, late] = await Promise.allSettled([declarations.remove("pool", "small"), declarations.remove("image", "base")]);
    expect([removed.status, late.status]).toEqual(["fulfilled", "fulfilled"]);
  });

  it("another replica writes in between: what was read is read again, and its change is kept in mind", async () => {
    await declarations.apply(images("a"));
    let meddled = false;
    const other: Pick<Store, "get" | "list" | "commit"> = {
      get: store.get.bind(store),
      list: store.list.bind(store),
      async commit(batch) {
        if (!meddled) {
          meddled = true;
          await declarations.put("image", "a", { ...image, name: "a", arch: "arm64" });
        }
        return store.commit(batch);
      },
    };
    const { record } = await createDeclarations({ store: other, clock: { now: () => 8 } }).put("image", "a", {
      ...image,
      name: "a",
      bootstrap: "cloud-init",
    });
    expect(record.generation).toBe(3);
  });

  it("another replica that is always faster ends in FR-CONFLICT, not in a loop", async () => {
    const losing: Pick<Store, "get" | "list" | "commit"> = {
      get: store.get.bind(store),
      list: store.list.bind(store),
      commit: async () => ({ outcome: "conflict", conflicts: [] }),
    };
    const writing = createDeclarations({ store: losing, clock: { now: () => 8 } }).apply(images("a"));
    await expect(writing).rejects.toMatchObject({ code: "FR-CONFLICT", retryable: true });
  });
});
