import { createRequire } from "node:module";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { oneOfEach } from "../reconciler/http/listeners.fixture.js";
import { conditionKey } from "../reconciler/model/condition.js";
import { until } from "../reconciler/model/until.fixture.js";
import type { Bag } from "./handlers/handler.js";
import { unknown } from "./handlers/unknowns.js";
import { type Failure, type ProviderProcess, startProviderProcess, withLoader } from "./process.fixture.js";
import { type AdminWorld, adminToken, placeMicrovm, startAdminWorld } from "./provider.fixture.js";
import { loaderOf, type ResourceType, resourceTypes } from "./resource-types.js";

const digest = `@sha256:${"a".repeat(64)}`;
const image = { name: "base", kernel: { image: `r.example/k${digest}` }, rootfs: { image: `r.example/r${digest}` } };
const inputsOf: Readonly<Record<ResourceType, Bag>> = {
  FlintlockHost: oneOfEach.host,
  MicrovmImage: image,
  GitLabConnection: oneOfEach.connection,
  RunnerPool: oneOfEach.pool,
};

it("an unknown is what the SDK sends for one", () => {
  const sdk = createRequire(import.meta.url)("@pulumi/pulumi/runtime") as { unknownValue: string };
  expect(unknown).toBe(sdk.unknownValue);
});

describe("in the engine's own process for dynamic resources", () => {
  let world: AdminWorld;
  let engine: ProviderProcess;

  beforeAll(async () => {
    world = await startAdminWorld();
    world.checks.push({ name: "host/rack-1", ok: true, required: false }, { name: "connection/gitlab", ok: true, required: false });
    // What the loop, which does not run here, would find of the token: a connection's first answer is waited for.
    const usable = {
      subject: { kind: "connection", name: "gitlab" },
      type: "Usable",
      status: true,
      reason: "Usable",
      message: "the token may do all that is needed",
      observedAt: 1,
      count: 0,
    };
    await world.store.commit({ writes: [{ kind: "condition", key: conditionKey(usable), value: usable, expect: "absent" }] });
    engine = await startProviderProcess({ "firerunner:endpoint": world.url, "firerunner:token": adminToken });
  }, 60_000);
  afterAll(async () => {
    await engine?.stop();
    await world?.stop();
  });
  beforeEach(async () => {
    for (const kind of ["pool", "connection", "image", "host"] as const) {
      for (const { key } of world.store.list(kind)) await world.declarations.remove(kind, key);
    }
  });

  async function create(type: ResourceType, inputs: Bag): Promise<{ id: string; properties: Bag }> {
    const checked = await engine.call("check", { olds: {}, news: withLoader(type, inputs) });
    expect(checked.failures).toEqual([]);
    return (await engine.call("create", { properties: checked.inputs })) as { id: string; properties: Bag };
  }

  it("every type is made at once, although the first call races the configuration; then read, changed and removed", async () => {
    const made = await Promise.all(
      (["FlintlockHost", "MicrovmImage", "GitLabConnection"] as const).map((type) => create(type, inputsOf[type])),
    );
    made.push(await create("RunnerPool", inputsOf.RunnerPool));
    expect(made.map(({ id }) => id)).toEqual(["rack-1", "base", "gitlab", "small"]);
    for (const { id, properties } of made) {
      expect(properties.__provider).toMatch(/^exports\.handler = /);
      expect(await engine.call("read", { id, properties })).toMatchObject({ id, properties, inputs: { name: id } });
      expect(await engine.call("diff", { id, olds: properties, news: properties })).toMatchObject({ replaces: [] });
    }
    const [{ id, properties } = { id: "", properties: {} }] = made.slice(-1);
    const news = withLoader("RunnerPool", { ...inputsOf.RunnerPool, maxMicrovms: 3 });
    // 0: the engine compares the inputs itself and names what changed.
    expect(await engine.call("diff", { id, olds: properties, news })).toEqual({ changes: 0, replaces: [], deleteBeforeReplace: false });
    const updated = await engine.call("update", { id, olds: properties, news });
    expect(updated.properties).toMatchObject({ maxMicrovms: 3, generation: 2, __provider: loaderOf("RunnerPool") });
    for (const { id: name, properties: props } of made.toReversed()) await engine.call("delete", { id: name, properties: props });
    expect(world.store.list("host").length + world.store.list("pool").length).toBe(0);
    expect(await engine.call("read", { id, properties })).toMatchObject({ id: "" });
  });

  it("a refusal names the property, the value and what is accepted", async () => {
    const news = withLoader("RunnerPool", { ...inputsOf.RunnerPool, sizes: { small: { vcpu: 3, memoryMb: 1024 } } });
    expect((await engine.call("check", { olds: {}, news })).failures).toEqual([
      { property: "sizes.small.vcpu", reason: "3 is refused: must be 1 or an even number" },
    ]);
  });

  it("twenty at once are all made", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `image-${n}`);
    await Promise.all(names.map((name) => create("MicrovmImage", { ...image, name })));
    expect(
      world.store
        .list("image")
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(names.toSorted());
  });

  it("an error has its code and no stack", async () => {
    await world.declarations.put("image", "base", { ...image, arch: "arm64" });
    await expect(create("MicrovmImage", image)).rejects.toThrow(/^FR-CONFLICT: image "base" exists already/);
    await expect(
      engine.call("delete", { id: "base", properties: withLoader("MicrovmImage", { ...image, managedBy: "me" }) }),
    ).resolves.toBeDefined();
    await world.declarations.put("image", "base", image, { managedBy: "them" });
    await expect(
      engine.call("delete", { id: "base", properties: withLoader("MicrovmImage", { ...image, managedBy: "me" }) }),
    ).rejects.toThrow("them");
    // What the process prints comes by another way than its answers.
    await until(() => engine.output().includes("FR-CONFLICT"), "FR-CONFLICT in what the process prints");
    expect(engine.output()).not.toMatch(/^\s+at /m);
    expect(engine.output()).not.toContain(adminToken);
  });

  it("what was half done is kept with everything that is needed to go on", async () => {
    world.ready.fail = true;
    const failed = await create("FlintlockHost", oneOfEach.host).then(
      () => undefined,
      (caught: Failure) => caught,
    );
    world.ready.fail = false;
    expect(failed?.partly).toMatchObject({
      id: "rack-1",
      properties: { ...oneOfEach.host, generation: 1, __provider: loaderOf("FlintlockHost") },
      reasons: [expect.stringContaining("FR-INTERNAL")],
    });
    const { id = "", properties = {} } = failed?.partly ?? {};
    const updated = await engine.call("update", { id, olds: properties, news: withLoader("FlintlockHost", oneOfEach.host) });
    expect(updated.properties).toMatchObject({ reachable: true, generation: 1 });
    await engine.call("delete", { id, properties });
    expect(world.store.get("host", id)).toBeUndefined();
  });

  it("a process that is told to end stops waiting, answers, and goes", async () => {
    const other = await startProviderProcess({ "firerunner:endpoint": world.url, "firerunner:token": adminToken });
    try {
      await world.declarations.put("image", "base", image);
      await world.declarations.put("connection", "gitlab", oneOfEach.connection);
      const { properties } = await create("RunnerPool", inputsOf.RunnerPool);
      const remove = await placeMicrovm(world.store);
      const draining = new Promise<void>((resolve) => {
        const unwatch = world.store.watch(() => {
          if (world.store.list("operation").length === 0) return;
          unwatch();
          resolve();
        });
      });
      const removal = other.call("delete", { id: "small", properties }).then(
        () => "removed",
        (error: Error) => error.message,
      );
      await draining;
      expect(await other.kill("SIGTERM")).toBe(143);
      expect(await removal).toMatch(/interrupted/);
      expect(world.store.get("pool", "small")).toBeDefined();
      await remove();
    } finally {
      await other.stop();
    }
  });
});

describe("without a configuration", () => {
  it("checks and comparisons work, from the environment everything does, and a call says what is missing", async () => {
    const world = await startAdminWorld();
    const bare = await startProviderProcess({});
    const fromEnv = await startProviderProcess({}, { FIRERUNNER_URL: world.url, FIRERUNNER_TOKEN: adminToken });
    try {
      const properties = withLoader("MicrovmImage", image);
      expect(await bare.call("check", { olds: {}, news: properties })).toMatchObject({ failures: [] });
      await expect(bare.call("create", { properties })).rejects.toThrow(
        /firerunner:endpoint.*FIRERUNNER_URL.*firerunner:token.*FIRERUNNER_TOKEN/,
      );
      await expect(fromEnv.call("create", { properties })).resolves.toMatchObject({ id: "base" });
    } finally {
      await Promise.all([bare.stop(), fromEnv.stop()]);
      await world.stop();
    }
  });
});

it("every type of a state has its provider, and another one is refused with what to do", async () => {
  const { provider } = await import("./dynamic.js");
  expect(resourceTypes.map((type) => typeof provider(type).create)).toEqual(resourceTypes.map(() => "function"));
  expect(() => provider("Gone")).toThrow(/"Gone" is not known to this version.*FlintlockHost/);
});
