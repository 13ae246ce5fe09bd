import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { type HostsWorld, startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

/** What the service asks for; the test's own calls are others. */
const asked =
  "(GET /api/v4/projects/\\d+/(jobs|protected)|GET /api/v4/projects$|/api/v4/user/runners|/api/v4/runners|GET /api/v4/personal_access_tokens)";
const jobs = 12;
const ciFile = Array.from({ length: jobs }, (_, n) => `job-${n + 1}: {script: ["true"]}\n`).join("");

/** How many requests were answered with 429 so far, as the service counts them. */
async function limited({ service }: HostsWorld): Promise<number> {
  const response = await fetch(`${service.urls.admin}/metrics`, { headers: { authorization: `Bearer ${service.adminToken}` } });
  return Number(/^firerunner_forge_requests_total\{connection="\w+",outcome="limited"\} (\d+)$/m.exec(await response.text())?.[1] ?? 0);
}

it("bears a storm of 429 with few requests, and goes on by itself when it is over", async () => {
  const world = await startHostsWorld({ hosts: 2, seed: 429, work: (power) => pause(5, undefined, { signal: power }) });
  try {
    world.gitlab.setDials({ faults: [{ kind: "answer", path: asked, status: 429, retryAfterS: 1 }] });
    const beganAt = Date.now();
    const { project, pipeline } = await world.push("storm", ciFile);
    await until("it was told to stop again and again", async () => (await limited(world)) >= 5, { tell: () => "" });
    const requests = await limited(world);
    // What was on its way when it was told first, and one for each second that it was told to wait.
    expect(requests).toBeLessThanOrEqual(24 + (Date.now() - beganAt) / 1_000 + 1);
    expect(world.ran.size).toBe(0);

    world.gitlab.setDials({});
    await until(
      "all jobs are over",
      async () => (await world.client.jobs(project.id, pipeline.id)).filter(({ status }) => status === "success").length === jobs,
      { everyMs: 300 },
    );
    let left = await world.left();
    const isTidy = async () => {
      left = await world.left();
      return Object.values(left).every((count) => count === 0);
    };
    await until("nothing is left", isTidy, { everyMs: 200, tell: () => JSON.stringify(left) });
    expect(world.violations()).toEqual([]);
    expect(world.ran.size).toBe(jobs);
  } finally {
    await world.stop();
  }
});
