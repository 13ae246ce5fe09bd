import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { type FleetWorld, type List, startFleetWorld } from "./fleet-world.fixture.js";
import { oldStateProgram } from "./old-state-program.fixture.js";
import { createStack, describePulumi, type StateResource } from "./stack.fixture.js";

/** States as `pulumi stack export` wrote them with the version of this package that their file is called after, and the first form. */
const folder = fileURLToPath(new URL("../fixtures/pulumi-state", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

const lists: readonly (readonly [type: string, list: List])[] = [
  ["FlintlockHost", "hosts"],
  ["MicrovmImage", "images"],
  ["GitLabConnection", "connections"],
  ["RunnerPool", "pools"],
];

describePulumi("states of earlier versions", () => {
  let world: FleetWorld | undefined;
  afterEach(async () => {
    await world?.stop();
  });

  it.each(files)("%s is refreshed, updated and destroyed with today's package", async (file) => {
    const fleet = await startFleetWorld();
    world = fleet;
    const path = join(folder, file);
    const { deployment } = JSON.parse(readFileSync(path, "utf8")) as { deployment: { resources: readonly StateResource[] } };
    for (const [type, list] of lists) {
      for (const { outputs } of deployment.resources.filter((resource) => resource.type.endsWith(`:${type}`))) {
        const managedBy = typeof outputs?.managedBy === "string" ? outputs.managedBy : undefined;
        await fleet.put(list, String(outputs?.name), specOf(list, outputs), managedBy);
      }
    }
    expect(await fleet.declared()).toBe(4);

    const stack = await createStack("old-state", {
      program: oldStateProgram,
      // From the environment, as when the states were written: a state keeps the configuration that it was made with.
      env: { FIRERUNNER_URL: fleet.endpoint, FIRERUNNER_TOKEN: fleet.token },
    });
    await stack.run(["stack", "import", "--stack", "dev", "--file", path]);
    const refreshed = await stack.refresh();
    expect(refreshed.changes).toMatchObject({ same: expect.any(Number) });
    expect(refreshed.changes).not.toHaveProperty("delete");
    expect((await stack.up()).steps.filter(({ op }) => op !== "update")).toEqual([]);
    expect((await stack.up()).steps).toEqual([]);
    await stack.destroy();
    expect(await fleet.declared()).toBe(0);
    expect(stack.resources()).toEqual([]);
  });
});

/** What the reconciler had when the state was written: the outputs that are fields of the record. */
function specOf(list: List, outputs: StateResource["outputs"] = {}): unknown {
  const fields: Readonly<Partial<Record<List, readonly string[]>>> = {
    hosts: ["name", "endpoint", "tls", "token", "capacity", "labels", "network"],
    images: ["name", "kernel", "rootfs", "bootstrap", "arch"],
    connections: ["name", "kind", "url", "token", "scope", "webhook"],
    pools: [
      "name",
      "connection",
      "image",
      "tags",
      "runUntagged",
      "sizes",
      "size",
      "minIdle",
      "idleTimeS",
      "maxMicrovms",
      "maxJobTimeoutS",
      "bootTimeoutS",
      "priority",
      "placement",
    ],
  };
  return Object.fromEntries(Object.entries(outputs).filter(([key]) => fields[list]?.includes(key)));
}
