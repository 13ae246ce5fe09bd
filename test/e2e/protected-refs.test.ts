import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import { startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

const git = promisify(execFile);

it("a pool for protected refs runs what GitLab protects, and tells another branch's job what it lacks", async () => {
  const world = await startHostsWorld({ hosts: 1, seed: 11, pool: { accessLevel: "ref_protected" }, work: async () => undefined });
  onTestFinished(() => world.stop());
  const { service, client, gitlab } = world;
  const accessLevels = new Set<unknown>();
  const watching = service.store.watch(() => {
    for (const { value } of service.store.list("identity")) accessLevels.add(value.protectedOnly);
  });
  onTestFinished(watching);

  const { project, pipeline } = await world.push("guarded", "build: {script: [exit 0]}\n");
  await until("the pipeline of the default branch is over", async () => isOver((await client.pipeline(project.id, pipeline.id)).status), {
    everyMs: 50,
  });
  expect((await client.jobs(project.id, pipeline.id)).map(({ status }) => status)).toEqual(["success"]);
  expect([...accessLevels]).toEqual([true]);

  const folder = await mkdtemp(join(tmpdir(), "firerunner-topic-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { host } = new URL(gitlab.url);
  await git("git", ["clone", "--quiet", `http://root:${gitlab.token}@${host}/root/guarded.git`, folder]);
  await git("git", ["-C", folder, "push", "--quiet", "origin", "HEAD:refs/heads/topic"]);
  const waiting = () => service.store.list("job").find(({ value }) => value.ref === "topic")?.value.waitingReason;
  await until("the job of the other branch is explained", () => waiting()?.code === "FR-NO-POOL", { everyMs: 50 });
  expect(waiting()?.message).toContain("it takes jobs of protected refs only");
  expect(world.ran.size).toBe(1);
  expect(world.violations()).toEqual([]);
});
