import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { type Gate, openGate } from "./gate.fixture.js";
import { leaks } from "./leaks.fixture.js";
import { killTree } from "./process-tree.fixture.js";
import { images } from "./programs.fixture.js";
import { createStack, describePulumi, type Run, type Stack } from "./stack.fixture.js";

/** A stack trace says nothing to whoever runs `pulumi up`. */
const trace = /^\s+at .+:\d+:\d+\)?$/m;

describePulumi("when something is away", () => {
  let world: FleetWorld;

  beforeAll(async () => {
    world = await startFleetWorld();
  });
  afterAll(async () => {
    await world?.stop();
  });

  describe("the reconciler", () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await createStack("outage", { program: images(2), ...world.config });
    });

    function expectClear(run: Run): void {
      expect(run.output).toContain(world.endpoint);
      expect(run.output).toMatch(/is the service running/);
      expect(run.output).not.toMatch(trace);
      expect(run.output).not.toContain(world.token);
    }

    it("during a preview: it shows what would be made, or says what is away", async () => {
      await world.stopService();
      const run = await stack.preview();
      expect(run.changes).toMatchObject({ create: 3 });
      await world.startService();
    });

    it("during up: it says so, and the next one makes what is missing", async () => {
      await world.stopService();
      expectClear(await stack.up({ expect: "fails" }));
      await world.startService();
      await stack.up();
      expect(await world.declared()).toBe(2);
    });

    it("during a refresh: it says so and forgets nothing, and the next one is quiet", async () => {
      await world.stopService();
      expectClear(await stack.refresh({ expect: "fails" }));
      expect(stack.resources()).toHaveLength(2);
      await world.startService();
      expect((await stack.refresh()).changes).toEqual({ same: 3 });
    });

    it("during destroy: it says so and forgets nothing, and the next one removes everything", async () => {
      await world.stopService();
      expectClear(await stack.destroy({ expect: "fails" }));
      expect(stack.resources()).toHaveLength(2);
      await world.startService();
      await stack.destroy();
      expect(await world.declared()).toBe(0);
    });
  });

  it("the command, between what a create did and its answer: the next up takes over what is there", async () => {
    const gate: Gate = await openGate(world.endpoint);
    try {
      const stack = await createStack("killed", { program: images(1), ...world.config, config: { "firerunner:endpoint": gate.url } });
      gate.hold("PUT");
      const child = stack.start(["up", "--stack", "dev", "--skip-preview"]);
      await until("the record is made and its answer is held back", () => gate.held() > 0, { tell: child.output });
      killTree(child.pid);
      await child.ended;
      gate.release();
      const made = await world.records("images");
      expect(made).toHaveLength(1);

      // The killed command still holds the stack's lock, as after any crash.
      await stack.run(["cancel", "--yes", "--stack", "dev"]);
      await stack.up();
      expect(await world.records("images")).toEqual(made);
      expect(stack.resources().map(({ id }) => id)).toEqual(made.map(({ spec }) => spec.name));
      expect((await stack.up()).steps).toEqual([]);
      await stack.destroy();
      expect(await world.declared()).toBe(0);
    } finally {
      await gate.stop();
    }
  });

  it("the right token: the refusal names it and says how to set a new one, also where the engine takes it from the state", async () => {
    const stack = await createStack("token", { program: images(1), ...world.config });
    const later = "another-token-that-came-later";
    await stack.up();
    await world.stopService();
    await world.startService(later);
    try {
      stack.write(images(2));
      const refused = await stack.up({ expect: "fails" });
      expect(refused.output).toMatch(/FR-UNAUTHORIZED.*pulumi config set --secret firerunner:token/);
      expect(refused.output).not.toMatch(trace);
      await stack.run(["config", "set", "--secret", "--stack", "dev", "firerunner:token", later]);
      expect((await stack.refresh({ expect: "fails" })).output).toContain("--run-program");
      await stack.refresh({ args: ["--run-program"] });
      await stack.up();
      await stack.destroy();
      expect(await world.declared()).toBe(0);
      expect(leaks({ ...stack.everythingKept(), output: refused.output }, [later, world.token])).toEqual([]);
    } finally {
      await world.stopService();
      await world.startService();
    }
  });
});
