import { expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { boundary, type Fate, newLife } from "../simulator/boundary.js";
import type { Store } from "../store/port.js";
import { createDeclarations, type Declarations } from "./declarations.js";
import { newStore, oneOfEach } from "./listeners.fixture.js";

const { host, image, connection, pool } = oneOfEach;

/** What `pulumi up` asks for: everything that depends on something after it, changes, and what is no more wanted last. */
async function up(declarations: Declarations): Promise<void> {
  await declarations.put("host", host.name, host);
  await declarations.put("image", "old", { ...image, name: "old" });
  await declarations.put("image", pool.image, image);
  await declarations.put("connection", pool.connection, connection);
  await declarations.put("pool", pool.name, pool);
  await declarations.put("pool", pool.name, { ...pool, maxMicrovms: 7 });
  await declarations.remove("image", "old").catch((caught: unknown) => {
    // It was removed, and the answer was lost.
    if (!(caught instanceof FireRunnerError) || caught.code !== "FR-NOT-FOUND") throw caught;
  });
}

/** A process on this store that may die at its n-th call; settles when all was answered, or when it is dead. */
async function upOn(store: Store, fateOf: (n: number) => Fate): Promise<number> {
  const life = newLife();
  let calls = 0;
  const killed = new Promise<void>((resolve) => life.callers.add(resolve));
  const seen = boundary("store", store, life, () => fateOf(calls++));
  await Promise.race([up(createDeclarations({ store: seen, clock: { now: () => 7 } })), killed]);
  return calls;
}

const declared = (store: Store) =>
  (["host", "image", "connection", "pool"] as const).flatMap((kind) =>
    store.list(kind).map(({ key, value: { spec, order } }) => ({ kind, key, spec, order })),
  );

it("an up whose service is killed at any call of it is made good by the next one", async () => {
  const undisturbed = newStore();
  const calls = await upOn(undisturbed, () => "lives");
  expect(calls).toBe(7);
  for (let at = 0; at < calls; at++) {
    for (const fate of ["dies-before", "dies-after"] as const) {
      const store = newStore();
      await upOn(store, (n) => (n === at ? fate : "lives"));
      await upOn(store, () => "lives");
      expect(declared(store), `call ${at}, ${fate}`).toEqual(declared(undisturbed));
      await store.stop();
    }
  }
  await undisturbed.stop();
});
