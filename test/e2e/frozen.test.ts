import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { endOf } from "./child.fixture.js";
import { until } from "./until.fixture.js";
import { startWorld } from "./world.fixture.js";

/** The job ends meanwhile, and what tells of it is not answered; far shorter than a lease. */
const frozenMs = 4_000;

it("a service that is frozen while a job ends goes on: that job, and one that came meanwhile, run once and end as they should", async () => {
  const world = await startWorld({ pollS: 1 });
  try {
    const runs = join(world.directory, "runs");
    const gate = join(world.directory, "gate");
    const started = join(world.directory, "started");
    writeFileSync(runs, "");
    const script = (...work: readonly string[]) => JSON.stringify([`echo "$CI_JOB_NAME" >> ${runs}`, ...work, "echo ran $((40 + 2))"]);
    const serve = world.startServe();
    await world.serviceAnswers();
    const pushed = await world.push("harbour", {
      ".gitlab-ci.yml": `
stages: [first, second]
running: {stage: first, script: ${script(`touch ${started}`, `until test -e ${gate}; do sleep 0.1; done`)}}
after: {stage: second, script: ${script()}}
`,
    });
    await until("the job runs", () => existsSync(started));
    serve.signal("SIGSTOP");
    writeFileSync(gate, "");
    await pause(frozenMs);
    serve.signal("SIGCONT");
    const jobs = await world.jobsWhenOver(pushed);
    expect([...jobs.values()].map(({ name, status }) => `${name} ${status}`).toSorted()).toEqual(["after success", "running success"]);
    expect(readFileSync(runs, "utf8").trim().split("\n")).toEqual(["running", "after"]);
    await world.nothingLeft();
    serve.signal("SIGTERM");
    expect(await endOf(serve)).toBe(0);
  } finally {
    await world.stop();
  }
});
