import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import type { Job } from "../../reconciler/model/job.js";
import { until } from "./until.fixture.js";
import { startWorld, type World } from "./world.fixture.js";

let running: World | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

/** The pipeline's jobs as the service knows them, once they are as the condition says. */
function knownJobs(world: World, { project }: Pushed, what: string, isSo: (jobs: readonly Job[]) => boolean): Promise<readonly Job[]> {
  let jobs: readonly Job[] = [];
  return until(
    what,
    async () => {
      jobs = await world.knownJobs(project.id);
      return isSo(jobs) && jobs;
    },
    { everyMs: 100, tell: () => jobs.map(({ name, status, waitingReason }) => `${name} ${status} ${waitingReason?.code}`).join("\n") },
  );
}

describe("a pool of at most 2 microVMs with 20 waiting jobs", () => {
  it("never has 3, says of each job why it waits, and leaves nothing of those that are cancelled", async () => {
    const world = await startWorld({ pool: { maxMicrovms: 2 } });
    running = world;
    await world.startService();
    const gate = join(world.directory, "gate");
    const work = `script: ['until test -e ${gate}; do sleep 0.1; done', 'echo ran $((40 + 2))']`;
    const names = Array.from({ length: 20 }, (_, n) => `job-${n + 1}`);
    const jobs = names.map((name) => `${name}: {${work}}\n`).join("");
    const pushed = await world.push("crowd", { ".gitlab-ci.yml": `${jobs}elsewhere: {tags: [gpu], script: [exit 1]}\n` });

    // Two run, and wait for the gate.
    const known = await knownJobs(
      world,
      pushed,
      "two jobs run and all others are explained",
      (all) =>
        all.length === 21 &&
        all.filter(({ status }) => status === "running").length === 2 &&
        all.every(
          ({ status, waitingReason: reason }) => status !== "pending" || ["FR-POOL-LIMIT", "FR-NO-POOL"].includes(reason?.code ?? ""),
        ),
    );
    const waiting = known.filter(({ status }) => status === "pending");
    const inPool = waiting.filter(({ name }) => name !== "elsewhere");
    expect(inPool).toHaveLength(18);
    for (const { waitingReason } of inPool) {
      expect(waitingReason).toEqual({ code: "FR-POOL-LIMIT", message: 'pool "e2e" has its maxMicrovms of 2' });
    }
    expect(waiting.find(({ name }) => name === "elsewhere")?.waitingReason).toEqual({
      code: "FR-NO-POOL",
      message: 'no pool of connection "embedded" takes the tags gpu; the nearest is "e2e": it lacks the tag gpu',
    });

    // Twelve of them, and the one that no pool takes, are cancelled while they wait.
    const cancelled = [...inPool.slice(0, 12), ...waiting.filter(({ name }) => name === "elsewhere")];
    for (const { projectId, jobId } of cancelled) await world.client.cancelJob(projectId, jobId);
    const isCancelled = new Set(cancelled.map(({ jobId }) => jobId));
    await knownJobs(world, pushed, "their end is known", (all) =>
      all.every(({ jobId, status, waitingReason }) => !isCancelled.has(jobId) || (status === "canceled" && waitingReason === undefined)),
    );
    expect(world.hosts.names().size).toBe(2);

    writeFileSync(gate, "");
    const over = [...(await world.jobsWhenOver(pushed)).values()];
    for (const { id, name, status } of over) expect([name, status]).toEqual([name, isCancelled.has(id) ? "canceled" : "success"]);
    await world.nothingLeft();
    expect(world.hosts.names().size).toBe(8);
    expect({ most: world.hosts.most(), alive: world.hosts.mostAlive() }).toEqual({ most: 2, alive: 2 });
    const ran = (await world.knownJobs(pushed.project.id)).flatMap(({ vm }) => vm ?? []);
    expect(new Set(ran)).toEqual(new Set(world.hosts.names()));
  });
});

describe("a job that is cancelled while its microVM is on its way", () => {
  it("leaves neither microVM nor runner", async () => {
    const world = await startWorld();
    running = world;
    await world.startService();
    // No runner gets a job, so that the job is still waiting when everything is ready for it.
    world.gitlab.setDials({ faults: [{ kind: "answer", path: "POST /api/v4/jobs/request", status: 204 }] });
    const pushed = await world.push("regretted", { ".gitlab-ci.yml": "only: {script: [exit 1]}\n" });
    await until(
      "its runner is there and its microVM lives",
      async () => (await world.client.countRunners()) === 1 && world.hosts.mostAlive() === 1,
    );
    const [job] = await world.client.jobs(pushed.project.id, pushed.pipeline.id);
    await world.client.cancelJob(pushed.project.id, job?.id ?? 0);
    await world.nothingLeft();
    expect([...(await world.jobsWhenOver(pushed)).values()].map(({ status }) => status)).toEqual(["canceled"]);
    expect(world.hosts.names().size).toBe(1);
  });
});
