import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { firerunner, root } from "../e2e/child.fixture.js";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { createStack, describePulumi } from "./stack.fixture.js";

const digest = `@sha256:${"a".repeat(64)}`;

/** What is there already, as somebody else declared it. */
const records = (world: FleetWorld) =>
  [
    [
      "hosts",
      {
        name: "rack-1",
        endpoint: "127.0.0.1:1",
        tls: { insecure: true },
        capacity: { vcpu: 4, memoryMb: 4096, microvms: 4 },
        network: { mode: "dhcp" },
      },
    ],
    [
      "images",
      { name: "base", kernel: { image: `registry.invalid/kernel${digest}` }, rootfs: { image: `registry.invalid/shell${digest}` } },
    ],
    ["connections", { name: "main", kind: "gitlab", url: world.gitlab.url, token: world.secrets.tokenRef, scope: { instance: true } }],
    [
      "pools",
      {
        name: "small",
        connection: "main",
        image: "base",
        tags: ["vm"],
        sizes: { small: { vcpu: 1, memoryMb: 1024 } },
        size: "small",
        maxMicrovms: 1,
      },
    ],
  ] as const;

const typeOf = { hosts: "FlintlockHost", images: "MicrovmImage", connections: "GitLabConnection", pools: "RunnerPool" } as const;

describePulumi("a fleet that a reconciler has already", () => {
  let world: FleetWorld;
  beforeEach(async () => {
    world = await startFleetWorld();
  });
  afterEach(async () => {
    await world.stop();
  });

  it("is imported from its export, and from then on managed by the stack", async () => {
    const declared = records(world);
    for (const [list, spec] of declared) await world.put(list, spec.name, spec);
    const program = declared.map(
      ([list, { name, ...args }]) => `new firerunner.${typeOf[list]}("${name}", ${JSON.stringify({ name, ...args })});`,
    );
    const stack = await createStack("import", { program: program.join("\n"), ...world.config });
    const [command, ...args] = [...firerunner, "export", "--pulumi-import"];
    const env = { PATH: process.env.PATH, FIRERUNNER_URL: world.endpoint, FIRERUNNER_TOKEN: world.token };
    const { stdout } = await promisify(execFile)(command, args, { cwd: root, env, timeout: 60_000 });
    const file = join(stack.folder, "import.json");
    writeFileSync(file, stdout);
    await stack.run(["import", "--stack", "dev", "--file", file, "--generate-code=false", "--protect=false", "--skip-preview"]);
    expect(
      stack
        .resources()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(["base", "main", "rack-1", "small"]);

    const taken = await stack.up();
    expect(taken.steps.map(({ op }) => op)).toEqual(["update", "update", "update", "update"]);
    expect((await stack.up()).steps).toEqual([]);
    expect((await world.records("pools"))[0]).toMatchObject({ managedBy: "pulumi:import/dev/small" });
    await stack.destroy();
    expect(await world.declared()).toBe(0);
  });
});
