import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fleetSchema } from "../model/fleet.js";
import { operationKey } from "../model/front-door.js";
import { aPresence } from "../plan/snapshot.fixture.js";
import type { Store } from "../store/port.js";
import { createDeclarations, type Declarations } from "./declarations.js";
import { aMicrovm, fleetInput, newStore } from "./listeners.fixture.js";

let store: Store;
let declarations: Declarations;
let now = 1_000;

beforeEach(async () => {
  store = newStore();
  now = 1_000;
  declarations = createDeclarations({ store, clock: { now: () => now } });
  await declarations.apply(fleetSchema.parse(fleetInput));
});
afterEach(() => store.stop());

async function holdsMicrovm(): Promise<void> {
  await store.commit({ writes: [{ kind: "microvm", key: "vm-a", value: aMicrovm(), expect: "absent" }] });
}

const operations = () => store.list("operation").map(({ value }) => value);

describe("removing what is in use", () => {
  it.each(["host", "pool"] as const)("a %s is refused, unless it may drain: then it is told what it waits for", async (kind) => {
    await holdsMicrovm();
    const name = kind === "host" ? "rack-1" : "small";
    await expect(declarations.remove(kind, name)).rejects.toMatchObject({ code: "FR-REFERENCED" });
    expect(operations()).toEqual([]);
    expect(await declarations.remove(kind, name, { whenUsed: "drain" })).toEqual({ usedBy: ['microVM "vm-a"'] });
    expect(operations()).toMatchObject([{ subject: { kind, name }, operation: "drain", until: 61_000 }]);
    now = 31_000;
    await declarations.remove(kind, name, { whenUsed: "drain" });
    expect(operations()).toMatchObject([{ at: 31_000, until: 91_000 }]);
  });

  it("a connection waits for the runners that only it can remove", async () => {
    const presence = aPresence({ connection: "gitlab", pool: "small", size: "small", state: "leaving" });
    await declarations.remove("pool", "small");
    await store.commit({ writes: [{ kind: "presence", key: presence.name, value: presence, expect: "absent" }] });
    await expect(declarations.remove("connection", "gitlab")).rejects.toMatchObject({
      code: "FR-REFERENCED",
      details: { usedBy: ['the presence runner of pool "small", size "small"'] },
    });
  });

  it("it goes with its drain, and with whatever else was told of it, once nothing uses it any more", async () => {
    await holdsMicrovm();
    await declarations.remove("pool", "small", { whenUsed: "drain" });
    const paused = { subject: { kind: "pool", name: "small" }, operation: "pause", by: "somebody", at: 1 } as const;
    await store.commit({ writes: [{ kind: "operation", key: operationKey(paused), value: paused, expect: "absent" }] });
    await store.commit({ writes: [{ kind: "microvm", key: "vm-a", value: null, expect: "any" }] });
    expect(await declarations.remove("pool", "small", { whenUsed: "drain" })).toEqual({ usedBy: [] });
    expect(store.get("pool", "small")).toBeUndefined();
    expect(operations()).toEqual([]);
  });

  it("a host's machine may be given up, a pool's microVMs may not", async () => {
    await holdsMicrovm();
    expect(await declarations.remove("host", "rack-1", { whenUsed: "forget" })).toEqual({ usedBy: ['microVM "vm-a"'] });
    expect(operations()).toMatchObject([{ operation: "forget" }]);
    await expect(declarations.remove("pool", "small", { whenUsed: "forget" })).rejects.toMatchObject({
      code: "FR-INVALID",
      message: expect.stringContaining("refuse, drain"),
    });
  });
});

describe("who manages a record", () => {
  const image = fleetInput.images[0];
  const managed = () => store.get("image", "base")?.value;

  it("is told with it, kept by those who do not say, and moves no generation", async () => {
    await declarations.put("image", "base", image, { managedBy: "pulumi:ci/prod/base" });
    expect(managed()).toMatchObject({ managedBy: "pulumi:ci/prod/base", generation: 1 });
    await declarations.put("image", "base", { ...image, arch: "arm64" });
    expect(managed()).toMatchObject({ managedBy: "pulumi:ci/prod/base", generation: 2 });
    await declarations.put("image", "base", { ...image, arch: "arm64" }, { managedBy: "somebody else" });
    expect(managed()).toMatchObject({ managedBy: "somebody else", generation: 2 });
  });
});
