import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { oneOfEach } from "../../reconciler/http/listeners.fixture.js";
import { HurriedClock } from "../../reconciler/model/hurried-clock.fixture.js";
import { type AdminWorld, placeMicrovm, startAdminWorld } from "../provider.fixture.js";
import type { ResourceType } from "../resource-types.js";
import { connectionHandler } from "./connection.js";
import { type Bag, type Handler, PartlyDone } from "./handler.js";
import { hostHandler } from "./host.js";
import { imageHandler } from "./image.js";
import { poolHandler } from "./pool.js";
import { unknown } from "./unknowns.js";

const { signal } = new AbortController();
const digest = `@sha256:${"a".repeat(64)}`;
const image = { name: "base", kernel: { image: `r.example/k${digest}` }, rootfs: { image: `r.example/r${digest}` } };
const given: Readonly<Record<ResourceType, readonly [Handler, Bag]>> = {
  FlintlockHost: [hostHandler, oneOfEach.host],
  MicrovmImage: [imageHandler, image],
  GitLabConnection: [connectionHandler, oneOfEach.connection],
  RunnerPool: [poolHandler, oneOfEach.pool],
};
const own = { managedBy: "pulumi:ci/dev/it" };

let world: AdminWorld;
beforeEach(async () => {
  world = await startAdminWorld(new HurriedClock());
  world.checks.push(
    { name: "host/rack-1", ok: true, required: false },
    { name: "connection/gitlab", ok: false, required: false, message: "401" },
  );
});
afterEach(() => world.stop());

/** Declares what a pool needs. */
const declareNeeds = async (type: ResourceType): Promise<void> => {
  if (type !== "RunnerPool") return;
  await world.declarations.put("image", "base", image);
  await world.declarations.put("connection", "gitlab", oneOfEach.connection);
};
const checked = async (handler: Handler, inputs: Bag, olds: Bag = {}): Promise<Bag> => {
  const { inputs: out, failures } = await handler.check(olds, inputs, signal);
  expect(failures).toEqual([]);
  return out;
};

describe.each(Object.entries(given) as [ResourceType, readonly [Handler, Bag]][])("a %s", (type, [handler, spec]) => {
  beforeEach(() => declareNeeds(type));

  it("is made, found unchanged, and removed", async () => {
    const inputs = await checked(handler, { ...spec, ...own });
    const { id, outs } = await handler.create(world.context, inputs);
    expect(id).toBe(spec.name);
    expect(outs).toMatchObject({ ...inputs, generation: 1, schemaVersion: 1 });
    expect(handler.diff(outs, inputs).changed).toEqual([]);
    const read = await handler.read(world.context, id, outs);
    expect(read?.outs).toEqual(outs);
    expect(read?.inputs).toEqual(inputs);
    await handler.delete(world.context, id, outs);
    expect(await handler.read(world.context, id, outs)).toBeUndefined();
    await handler.delete(world.context, id, outs);
  });

  it("that an interrupted run has made is taken over, as it is or as it should be now", async () => {
    const inputs = await checked(handler, { ...spec, ...own });
    const first = await handler.create(world.context, inputs);
    expect(await handler.create(world.context, inputs)).toEqual(first);
    const changed = { ...inputs, timeouts: { createS: 5 } };
    expect((await handler.create(world.context, changed)).outs).toMatchObject({ generation: 1, timeouts: { createS: 5 } });
  });

  it("that is somebody else's is left alone, and they are named", async () => {
    const other = await checked(handler, { ...spec, managedBy: "pulumi:ci/prod/it" });
    const { id, outs } = await handler.create(world.context, other);
    const mine = { ...other, ...own };
    await expect(handler.create(world.context, mine)).rejects.toMatchObject({
      code: "FR-CONFLICT",
      message: expect.stringContaining("managed by pulumi:ci/prod/it"),
    });
    await expect(handler.delete(world.context, id, { ...outs, ...own })).rejects.toMatchObject({ code: "FR-CONFLICT" });
    expect(await handler.read(world.context, id, outs)).toBeDefined();
  });
});

describe("a record that nobody manages", () => {
  it("is taken over when it says the same", async () => {
    await world.declarations.put("image", "base", image);
    const { outs } = await imageHandler.create(world.context, await checked(imageHandler, { ...image, ...own }));
    expect(outs).toMatchObject({ generation: 1, ...own });
    expect(world.store.get("image", "base")?.value.managedBy).toBe(own.managedBy);
  });

  it("is refused when it does not, and the fields are named", async () => {
    await world.declarations.put("image", "base", { ...image, arch: "arm64" });
    await expect(imageHandler.create(world.context, await checked(imageHandler, { ...image, ...own }))).rejects.toMatchObject({
      code: "FR-CONFLICT",
      message: expect.stringContaining("differs in arch"),
    });
  });
});

describe("changes", () => {
  const made = async (handler: Handler, spec: Bag) => {
    const inputs = await checked(handler, { ...spec, ...own });
    return { inputs, ...(await handler.create(world.context, inputs)) };
  };

  it("are written, and what somebody else changed meanwhile is not overwritten", async () => {
    const { id, inputs, outs } = await made(imageHandler, image);
    const updated = await imageHandler.update(world.context, id, outs, { ...inputs, arch: "arm64" });
    expect(updated).toMatchObject({ generation: 2, arch: "arm64" });
    await world.declarations.put("image", "base", { ...image, bootstrap: "cloud-init" });
    await expect(imageHandler.update(world.context, id, updated, { ...inputs, arch: "amd64", bootstrap: "agent" })).rejects.toMatchObject({
      code: "FR-CONFLICT",
      message: expect.stringContaining("bootstrap"),
    });
  });

  it("behind our back show in inputs, and only there where something is different", async () => {
    const { id, inputs, outs } = await made(imageHandler, image);
    await world.declarations.put("image", "base", { ...image, arch: "arm64" });
    const read = await imageHandler.read(world.context, id, outs);
    expect(read?.inputs).toEqual({ ...inputs, arch: "arm64" });
    expect(imageHandler.diff(read?.outs ?? {}, inputs)).toMatchObject({ changed: ["arch"], beyondInputs: true });
    const mended = await imageHandler.update(world.context, id, read?.outs ?? {}, inputs);
    expect(mended).toMatchObject({ arch: "amd64", generation: 3 });
  });

  it("that an interrupted run has written are not written again, and what was removed is made again", async () => {
    const { id, inputs, outs } = await made(imageHandler, image);
    const wanted = { ...inputs, arch: "arm64" };
    await imageHandler.update(world.context, id, outs, wanted);
    expect(await imageHandler.update(world.context, id, outs, wanted)).toMatchObject({ generation: 2 });
    await world.declarations.remove("image", "base");
    expect(await imageHandler.update(world.context, id, outs, wanted)).toMatchObject({ generation: 1, arch: "arm64" });
  });

  it("of the endpoint replace a host, the old one first; capacity changes in place", async () => {
    const { inputs, outs } = await made(hostHandler, oneOfEach.host);
    expect(hostHandler.diff(outs, { ...inputs, endpoint: "127.0.0.1:9091" })).toMatchObject({ replaces: ["endpoint"], deleteFirst: true });
    const capacity = { vcpu: 2, memoryMb: 2048, microvms: 2 };
    expect(hostHandler.diff(outs, { ...inputs, capacity })).toMatchObject({ changed: ["capacity"], replaces: [], beyondInputs: false });
  });

  it("of a name make a new image before the old one goes", async () => {
    const { inputs, outs } = await made(imageHandler, image);
    expect(imageHandler.diff(outs, { ...inputs, name: "other" })).toMatchObject({ replaces: ["name"], deleteFirst: false });
  });

  it("of an unknown value are changes", async () => {
    await declareNeeds("RunnerPool");
    const { inputs, outs } = await made(poolHandler, oneOfEach.pool);
    expect(poolHandler.diff(outs, { ...inputs, image: unknown }).changed).toEqual(["image"]);
    expect(poolHandler.diff(outs, { ...inputs, sizes: { small: { vcpu: 1, memoryMb: unknown } } }).changed).toEqual(["sizes"]);
  });

  it("are no changes when only the order of a pool's sizes differs: states do not keep it", async () => {
    await declareNeeds("RunnerPool");
    const sizes = { large: { vcpu: 4, memoryMb: 4096 }, small: { vcpu: 1, memoryMb: 1024 } };
    const { inputs, outs } = await made(poolHandler, { ...oneOfEach.pool, sizes });
    expect(Object.keys(world.store.get("pool", "small")?.value.spec.sizes ?? {})).toEqual(["small", "large"]);
    expect(poolHandler.diff(outs, { ...inputs, sizes: { small: sizes.small, large: sizes.large } }).changed).toEqual([]);
  });
});

describe("checking", () => {
  const failuresOf = async (handler: Handler, inputs: Bag) =>
    (await handler.check({}, inputs, signal)).failures.map(({ field, message }) => `${field}: ${message}`);

  it("names every field, the value and what is accepted", async () => {
    const sizes = { small: { vcpu: 3, memoryMb: 64 } };
    expect(await failuresOf(poolHandler, { ...oneOfEach.pool, sizes, colour: "red", timeouts: { deleteS: -1 } })).toEqual([
      expect.stringContaining("sizes.small.vcpu: 3 is refused: must be 1 or an even number"),
      expect.stringContaining("sizes.small.memoryMb: 64 is refused: must be at least 1024"),
      "colour: is not a known field",
      expect.stringContaining("timeouts.deleteS: -1 is refused: must be above 0"),
    ]);
    expect(await failuresOf(hostHandler, { ...oneOfEach.host, onDelete: "keep" })).toEqual([
      expect.stringContaining('onDelete: "keep" is refused: must be "drain" or "forget"'),
    ]);
  });

  it("does not repeat what may be a secret in a reference's place", async () => {
    expect(await failuresOf(connectionHandler, { ...oneOfEach.connection, token: "glpat-secret" })).toEqual([
      "token: the value is refused: must be env:NAME or file:PATH",
    ]);
  });

  it.each<[string, Handler, Bag]>([
    ["a whole object", poolHandler, { ...oneOfEach.pool, sizes: unknown }],
    ["a number", poolHandler, { ...oneOfEach.pool, maxMicrovms: unknown, minIdle: 5 }],
    ["a flag on which others depend", poolHandler, { ...oneOfEach.pool, tags: [], runUntagged: unknown }],
    ["a part of a union", connectionHandler, { ...oneOfEach.connection, scope: { projectId: unknown } }],
    ["an address", hostHandler, { ...oneOfEach.host, endpoint: unknown }],
    ["what tells a union apart", hostHandler, { ...oneOfEach.host, network: { mode: unknown } }],
    ["a network beside its gateway", hostHandler, { ...oneOfEach.host, network: { ...oneOfEach.host.network, subnet: unknown } }],
  ])("accepts %s that is not known yet", async (_what, handler, inputs) => {
    const { inputs: out, failures } = await handler.check({}, inputs, signal);
    expect(failures).toEqual([]);
    expect(out).toEqual(inputs);
  });

  it("finds mistakes beside what is not known yet", async () => {
    expect(await failuresOf(poolHandler, { ...oneOfEach.pool, maxMicrovms: unknown, size: 7, colour: 1 })).toEqual([
      expect.stringContaining("size: 7 is refused"),
      "colour: is not a known field",
    ]);
  });

  it("keeps what was written in its normal form, and no defaults", async () => {
    const inputs = { ...oneOfEach.connection, url: "https://gitlab.example.com/" };
    expect(await checked(connectionHandler, inputs)).toEqual(oneOfEach.connection);
  });
});

describe("a name", () => {
  const { name: _name, ...nameless } = image;

  it("is the automatic one when none is given, and it stays when the resource is renamed", async () => {
    const first = await checked(imageHandler, { ...nameless, autoName: "base-1234567" });
    expect(first).toMatchObject({ name: "base-1234567", autoName: "base-1234567" });
    expect(await checked(imageHandler, { ...nameless, autoName: "other-7654321" }, first)).toEqual(first);
  });

  it("that is given goes before it, and giving it is the only change", async () => {
    const auto = await checked(imageHandler, { ...nameless, autoName: "base-1234567" });
    const named = await checked(imageHandler, { ...image, autoName: "base-1234567" }, auto);
    expect(named).toEqual({ ...auto, name: "base" });
    expect(await checked(imageHandler, { ...nameless, autoName: "base-1234567" }, named)).toEqual(auto);
  });
});

describe("a removal", () => {
  const pool = { ...oneOfEach.pool, timeouts: { deleteS: 600 } };

  async function inUse(): Promise<{ outs: Bag; remove: () => Promise<void> }> {
    await declareNeeds("RunnerPool");
    await world.declarations.put("host", "rack-1", oneOfEach.host);
    const { outs } = await poolHandler.create(world.context, await checked(poolHandler, { ...pool, ...own }));
    return { outs, remove: await placeMicrovm(world.store) };
  }

  it("waits for the last job, says for what, and keeps the pool draining meanwhile", async () => {
    const { outs, remove } = await inUse();
    let asked = 0;
    const unwatch = world.store.watch(() => {
      const drain = world.store.list("operation").length;
      if (drain > 0) asked += 1;
      if (asked === 5) void remove();
    });
    await poolHandler.delete(world.context, "small", outs);
    unwatch();
    expect(world.store.get("pool", "small")).toBeUndefined();
    expect(world.context.lines).toEqual(['pool "small" waits for microVM "vm-a" (for at most 10 min)']);
  });

  it("that waited too long says for what, and how to go on", async () => {
    const { outs } = await inUse();
    await expect(poolHandler.delete(world.context, "small", outs)).rejects.toMatchObject({
      code: "FR-REFERENCED",
      message: expect.stringMatching(/microVM "vm-a" after 10 min.*timeouts\.deleteS/),
    });
    expect(world.context.lines.length).toBeGreaterThan(5);
  });

  it("of an image waits for its pools", async () => {
    const { outs, remove } = await inUse();
    const removing = imageHandler.delete(world.context, "base", { ...image, timeouts: { deleteS: 3600 } });
    await remove();
    await poolHandler.delete(world.context, "small", outs);
    await removing;
    expect(world.store.get("image", "base")).toBeUndefined();
  });

  it("ends when the process is told to", async () => {
    const { outs } = await inUse();
    const controller = new AbortController();
    const context = { ...world.context, signal: controller.signal, say: () => controller.abort() };
    await expect(poolHandler.delete(context, "small", outs)).rejects.toThrow("interrupted");
  });
});

describe("what is seen of a host", () => {
  it("is waited for when it is new", async () => {
    world.checks.splice(0, 2, { name: "host/rack-1", ok: false, required: false, message: "not asked yet" });
    let asked = 0;
    const clock = new HurriedClock();
    const context = {
      ...world.context,
      clock: {
        now: () => clock.now(),
        after: (ms: number, callback: () => void) => {
          asked += 1;
          if (asked === 3) world.checks.splice(0, 1, { name: "host/rack-1", ok: false, required: false, message: "no answer" });
          return clock.after(ms, callback);
        },
      },
    };
    const { outs } = await hostHandler.create(context, await checked(hostHandler, oneOfEach.host));
    expect(outs).toMatchObject({ reachable: false, unreachableReason: "no answer" });
  });

  it("and cannot be had keeps what was written", async () => {
    const inputs = await checked(hostHandler, { ...oneOfEach.host, ...own });
    const controller = new AbortController();
    world.checks.splice(0, 2);
    const context = { ...world.context, signal: controller.signal };
    const after = () => {
      controller.abort();
      return () => undefined;
    };
    const clock = { ...world.context.clock, after };
    const failed = await hostHandler.create({ ...context, clock }, inputs).catch((caught: unknown) => caught);
    expect(failed).toBeInstanceOf(PartlyDone);
    expect(failed).toMatchObject({ id: "rack-1", outs: { ...inputs, generation: 1 } });
    world.checks.push({ name: "host/rack-1", ok: true, required: false });
    expect((await hostHandler.create(world.context, inputs)).outs).toMatchObject({ reachable: true });
  });
});
