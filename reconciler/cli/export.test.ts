import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { fleetInput } from "../http/listeners.fixture.js";
import { type CliWorld, startCliWorld } from "./cli-world.fixture.js";

let world: CliWorld;
let fleetFile: string;

beforeAll(async () => {
  world = await startCliWorld([]);
  fleetFile = join(world.directory, "fleet.yaml");
  writeFileSync(fleetFile, stringify(fleetInput));
  await world.run(["apply", "-f", fleetFile]);
});
afterAll(() => world.stop());

it("a fleet file declares what is there already", async () => {
  const { code, out } = await world.run(["export", "--fleet"]);
  expect(code).toBe(0);
  expect(parse(out)).toMatchObject(fleetInput);
  const applied = await world.run(["apply", "-f", "-"], { input: out });
  expect(applied.out.trim().split("\n")).toEqual(
    ["host/rack-1", "image/base", "connection/gitlab", "pool/small"].map((name) => `${name} unchanged (generation 1)`),
  );
});

it("an import file has inputs and outputs of everything, and the code that a state needs", async () => {
  const { code, out } = await world.run(["export", "--pulumi-import"]);
  expect(code).toBe(0);
  const { resources } = JSON.parse(out) as { resources: { type: string; name: string; id: string; inputs: object; outputs: object }[] };
  expect(resources.map(({ type, id }) => `${type} ${id}`)).toEqual([
    "pulumi-nodejs:dynamic/firerunner:FlintlockHost rack-1",
    "pulumi-nodejs:dynamic/firerunner:MicrovmImage base",
    "pulumi-nodejs:dynamic/firerunner:GitLabConnection gitlab",
    "pulumi-nodejs:dynamic/firerunner:RunnerPool small",
  ]);
  const __provider = 'exports.handler = () => require("firerunner/dynamic").provider("RunnerPool");';
  expect(resources[1]).toMatchObject({ inputs: { resolveTags: false }, outputs: { resolveTags: false } });
  expect(resources[3]).toMatchObject({
    name: "small",
    inputs: { name: "small", maxMicrovms: 2, __provider },
    outputs: { name: "small", generation: 1, schemaVersion: 1, __provider },
  });
  expect(out).not.toContain(world.env.FIRERUNNER_TOKEN);
});

it.each([[[]], [["--fleet", "--pulumi-import"]]])("export %j is refused: it is one or the other", async (options) => {
  expect(await world.run(["export", ...options])).toMatchObject({ code: 2, err: expect.stringContaining("--fleet and --pulumi-import") });
});
