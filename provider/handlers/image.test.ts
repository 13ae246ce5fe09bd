import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AdminWorld, type SmallRegistry, startAdminWorld, startSmallRegistry } from "../provider.fixture.js";
import type { Bag } from "./handler.js";
import { imageHandler } from "./image.js";
import { unknown } from "./unknowns.js";

const manifest = "application/vnd.oci.image.manifest.v1+json";
const { signal } = new AbortController();
const pinned = `r.example/kernel@sha256:${"c".repeat(64)}`;

describe("an image by tag", () => {
  let world: AdminWorld;
  let registry: SmallRegistry;
  let inputs: Bag;

  beforeEach(async () => {
    world = await startAdminWorld();
    registry = await startSmallRegistry();
    inputs = { name: "base", kernel: { image: pinned }, rootfs: { image: `${registry.name}/rootfs:1` } };
  });
  afterEach(async () => {
    await registry.stop();
    await world.stop();
  });

  const check = async (given: Bag = inputs) => imageHandler.check({}, given, signal);
  const written = () => world.store.get("image", "base")?.value.spec.rootfs.image;

  it("is pinned, found unchanged, and differs as soon as its tag has moved", async () => {
    const first = registry.put("rootfs", "1", manifest, { v: 1 });
    const checked = (await check()).inputs;
    expect(checked).toEqual({ ...inputs, resolved: { rootfs: `${registry.name}/rootfs@${first}` } });
    const { id, outs } = await imageHandler.create(world.context, checked);
    expect(written()).toBe(`${registry.name}/rootfs@${first}`);
    expect(outs).toMatchObject({ ...inputs, pinned: { kernel: pinned, rootfs: `${registry.name}/rootfs@${first}` } });
    expect(await imageHandler.read(world.context, id, outs)).toEqual({ outs, inputs: checked });
    expect(imageHandler.diff(outs, (await check()).inputs).changed).toEqual([]);

    const second = registry.put("rootfs", "1", manifest, { v: 2 });
    const moved = (await check()).inputs;
    expect(imageHandler.diff(outs, moved)).toEqual({ changed: ["resolved"], replaces: [], deleteFirst: true, beyondInputs: false });
    const updated = await imageHandler.update(world.context, id, outs, moved);
    expect(updated).toMatchObject({ generation: 2, resolved: { rootfs: `${registry.name}/rootfs@${second}` } });
    expect(written()).toBe(`${registry.name}/rootfs@${second}`);
  });

  it("that somebody else pinned elsewhere shows as their reference", async () => {
    registry.put("rootfs", "1", manifest, { v: 1 });
    const { id, outs } = await imageHandler.create(world.context, (await check()).inputs);
    const other = `r.example/other@sha256:${"d".repeat(64)}`;
    await world.declarations.put("image", "base", { ...inputs, rootfs: { image: other } });
    const read = await imageHandler.read(world.context, id, outs);
    expect(read?.inputs).toEqual({ ...inputs, rootfs: { image: other } });
    expect(imageHandler.diff(read?.outs ?? {}, (await check()).inputs).changed).toEqual(["rootfs", "resolved"]);
  });

  it("stays a tag when it is not to be resolved, and the registry is not asked", async () => {
    const checked = (await check({ ...inputs, resolveTags: false })).inputs;
    await imageHandler.create(world.context, checked);
    expect(written()).toBe(`${registry.name}/rootfs:1`);
    expect(registry.requests).toEqual([]);
  });

  it("that cannot be resolved is refused at its field, with the registry, the reference and what else there is", async () => {
    expect((await check()).failures).toEqual([
      {
        field: "rootfs.image",
        message: expect.stringMatching(/127\.0\.0\.1.*rootfs:1: it is not known there; give a digest, or resolveTags: false/),
      },
    ]);
  });

  it("that is not known yet is resolved later", async () => {
    const { inputs: checked, failures } = await check({ ...inputs, rootfs: { image: unknown } });
    expect(failures).toEqual([]);
    expect(checked).toMatchObject({ resolved: { rootfs: unknown } });
  });
});
