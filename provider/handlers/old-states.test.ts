import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { fleetSchema } from "../../reconciler/model/fleet.js";
import { provider } from "../dynamic.js";
import { type AdminWorld, adminToken, startAdminWorld } from "../provider.fixture.js";
import { kindOfType, type ResourceType } from "../resource-types.js";

const bagSchema = z.record(z.string(), z.unknown());
const stateSchema = z.object({
  resources: z.array(z.object({ type: z.string(), id: z.string(), inputs: bagSchema, outputs: bagSchema })),
});

const stateOf = (version: number) =>
  stateSchema
    .parse(JSON.parse(readFileSync(new URL(`../../test/fixtures/states/version-${version}.json`, import.meta.url), "utf8")))
    .resources.map(({ type, ...rest }) => ({ type: type.slice(type.lastIndexOf(":") + 1) as ResourceType, ...rest }));

describe.each([0, 1])("a state of version %i", (version) => {
  let world: AdminWorld;
  const resources = stateOf(version);
  /** As the engine does: what a state holds names its own provider. */
  const providerOf = (type: ResourceType) => {
    const own = provider(type);
    void own.configure({ config: { get: (key) => ({ "firerunner:endpoint": world.url, "firerunner:token": adminToken })[key] } });
    return own;
  };

  beforeEach(async () => {
    world = await startAdminWorld();
    world.checks.push({ name: "host/rack-1", ok: true, required: false }, { name: "connection/gitlab", ok: true, required: false });
    const records = (wanted: ResourceType) =>
      resources
        .filter(({ type }) => type === wanted)
        .map(({ outputs }) => Object.fromEntries(Object.entries(outputs).filter(([key]) => isSpec(key))));
    await world.declarations.apply(
      fleetSchema.parse({
        hosts: records("FlintlockHost"),
        images: records("MicrovmImage"),
        connections: records("GitLabConnection"),
        pools: records("RunnerPool"),
      }),
    );
    for (const { type, id, outputs } of resources) {
      const managedBy = outputs.managedBy;
      if (typeof managedBy === "string") await world.declarations.put(kindOfType[type], id, specOf(outputs), { managedBy });
    }
  });
  afterEach(() => world.stop());

  it("shows no drift, and no difference from the inputs that made it", async () => {
    for (const { type, id, inputs, outputs } of resources) {
      const own = providerOf(type);
      const read = await own.read(id, outputs);
      const { __provider: _loader, ...kept } = inputs;
      expect({ type, inputs: read.inputs }).toEqual({ type, inputs: kept });
      const checked = await own.check(inputs, inputs);
      expect(checked.failures).toEqual([]);
      for (const olds of [outputs, read.props ?? {}])
        expect(await own.diff(id, olds, checked.inputs)).toMatchObject({ changes: false, replaces: [] });
    }
  });

  it("takes changes, and is removed", async () => {
    for (const { type, id, inputs, outputs } of resources) {
      const news = { ...inputs, managedBy: "pulumi:fleet/dev/renamed", timeouts: { deleteS: 60 } };
      const { outs } = await providerOf(type).update(id, outputs, news);
      expect(outs).toMatchObject({ managedBy: "pulumi:fleet/dev/renamed", schemaVersion: 1, generation: 1 });
    }
    const renamed = { managedBy: "pulumi:fleet/dev/renamed" };
    for (const { type, id, outputs } of resources.toReversed()) await providerOf(type).delete(id, { ...outputs, ...renamed });
    expect(["host", "image", "connection", "pool"].flatMap((kind) => world.store.list(kind as "host"))).toEqual([]);
  });
});

const outputsOnly = new Set([
  "__provider",
  "autoName",
  "managedBy",
  "defaults",
  "generation",
  "schemaVersion",
  "reachable",
  "unreachableReason",
  "pinned",
  "webhookPath",
  "webhookUrl",
  "usable",
  "unusableReason",
]);
const isSpec = (key: string): boolean => !outputsOnly.has(key);
const specOf = (outputs: Readonly<Record<string, unknown>>) => Object.fromEntries(Object.entries(outputs).filter(([key]) => isSpec(key)));
