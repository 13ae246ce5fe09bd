import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { root } from "../e2e/child.fixture.js";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { createStack, describePulumi, ground, type StackOptions } from "./stack.fixture.js";

/** What a fresh clone has after `npm ci && npm run build`, as far as the program of its root sees it. */
function cloneRoot(): string {
  const clone = join(ground().project, "..", "clone");
  mkdirSync(join(clone, "examples"), { recursive: true });
  for (const name of readdirSync(root).filter((file) => /^Pulumi.*\.yaml$/.test(file))) cpSync(join(root, name), join(clone, name));
  cpSync(join(root, "examples", "fleet-from-config"), join(clone, "examples", "fleet-from-config"), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"), "dir");
  return clone;
}

/** An example as whoever installed the package has it. */
function copyExample(name: string): string {
  const copy = join(ground().project, "examples", name);
  cpSync(join(root, "examples", name), copy, { recursive: true });
  return copy;
}

describePulumi("the examples as they stand", () => {
  let world: FleetWorld;
  beforeEach(async () => {
    world = await startFleetWorld();
  });
  afterEach(async () => {
    await world.stop();
  });

  const options = (folder: string, more: StackOptions = {}): StackOptions => ({ folder, ...world.config, ...more });

  it("the program of the root reads a fleet from the configuration of dev, without code", async () => {
    const stack = await createStack("root", options(cloneRoot()));
    await stack.up();
    expect(await stack.outputs()).toMatchObject({
      hosts: [{ name: "dev-1", reachable: false }],
      webhookPaths: ["/webhooks/gitlab/gitlab"],
      pools: ["linux"],
    });
    expect((await stack.up()).steps).toEqual([]);
    await stack.destroy();
    expect(await world.declared()).toBe(0);
  });

  it("pulumi-quickstart adds a pool to a world that has its connection already", async () => {
    const embedded = { kind: "gitlab", url: world.gitlab.url, token: world.secrets.tokenRef, scope: { instance: true } };
    await world.put("connections", "embedded", embedded);
    const stack = await createStack("quickstart", options(copyExample("pulumi-quickstart")));
    await stack.up();
    expect(await world.records("pools")).toMatchObject([{ spec: { connection: "embedded", tags: ["pulumi"] } }]);
    await stack.destroy();
    expect(await world.declared()).toBe(1);
  });

  it("multi-host declares its sample of three machines", async () => {
    const stack = await createStack("multi-host", options(copyExample("multi-host"), { stack: "prod" }));
    await stack.up();
    expect(await world.declared()).toBe(3 + 1 + 1 + 2);
    expect((await world.records("pools")).map(({ spec }) => spec.priority)).toEqual(expect.arrayContaining([0, 10]));
    await stack.destroy();
    expect(await world.declared()).toBe(0);
  });

  it("stacks-per-environment: a team's pools on what the platform's stack says", async () => {
    const folder = copyExample("stacks-per-environment");
    const platform = await createStack("platform", options(join(folder, "platform")));
    await platform.up();
    const team = await createStack("team", options(join(folder, "team"), { beside: platform }));
    await team.up();
    expect(await world.records("pools")).toMatchObject([{ spec: { connection: "gitlab", image: "shell" } }]);
    await team.destroy();
    await platform.destroy();
    expect(await world.declared()).toBe(0);
  });
});
