import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { leaks } from "./leaks.fixture.js";
import { wholeFleet } from "./programs.fixture.js";
import { createStack, describePulumi } from "./stack.fixture.js";

describePulumi("real jobs on declared capacity", () => {
  let world: FleetWorld | undefined;
  afterEach(async () => {
    await world?.stop();
  });

  it("run, and destroy waits for the one that still runs and leaves nothing", async () => {
    const fleet = await startFleetWorld({ hosts: 2 });
    world = fleet;
    const stack = await createStack("jobs", {
      program: wholeFleet(fleet),
      ...fleet.config,
    });
    await stack.up();
    expect(await stack.outputs()).toMatchObject({ webhookPath: "/webhooks/gitlab/gitlab", usable: true, reachable: [true, true] });

    const opened = join(fleet.directory, "opened");
    const waits = `while [ ! -e ${opened} ]; do sleep 0.2; done; echo it was opened`;
    const pushed = await fleet.push("declared", "gitlab", {
      ".gitlab-ci.yml": `stages: [first, second]\none:\n  stage: first\n  script: [echo hello]\nlong:\n  stage: second\n  script:\n    - ${waits}\n`,
    });
    await fleet.jobIs(pushed, "one", "success");
    await fleet.jobIs(pushed, "long", "running");
    expect((await stack.refresh()).changes).toEqual({ same: 6 });

    const destroy = stack.start(["destroy", "--stack", "dev", "--skip-preview"]);
    let over = false;
    const ended = destroy.ended.finally(() => {
      over = true;
    });
    try {
      // Only the busy microVM is left: the warm one has gone, and nothing new was made.
      await until("destroy waits for the job alone", async () => (await fleet.records("microvms")).length === 1, {
        deadlineMs: 120_000,
        everyMs: 200,
        tell: destroy.output,
      });
      expect(over).toBe(false);
      writeFileSync(opened, "");
      expect(await ended, destroy.output()).toBe(0);
    } finally {
      await destroy.stop();
    }
    await fleet.jobIs(pushed, "long", "success");
    expect(await fleet.client.log(pushed.project.id, (await fleet.job(pushed, "long")).id)).toContain("it was opened");
    expect(await fleet.declared()).toBe(0);
    expect(stack.resources()).toEqual([]);
    await fleet.nothingLeft();
    const texts = { ...stack.everythingKept(), output: destroy.output(), log: fleet.log() };
    expect(leaks(texts, [fleet.token, fleet.gitlab.token, fleet.secrets.webhook])).toEqual([]);
  });
});
