import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import { type Child, endOf } from "./child.fixture.js";
import { startWorld, type World } from "./world.fixture.js";

export interface KillOptions {
  readonly seed: number;
  /** How many pipelines run one after the other; the service is killed ten times during each. */
  readonly pipelines: number;
}

const killsPerPipeline = 10;
const longestLifeMs = 1_500;
const overMs = 300_000;

/** What the jobs of a pipeline come to; `skipped` never ran. */
const results: Readonly<Record<string, "success" | "failed" | "skipped">> = {
  compile: "success",
  assets: "success",
  docs: "success",
  "pace-build": "success",
  unit: "success",
  lint: "success",
  experimental: "failed",
  broken: "failed",
  "pace-test": "success",
  deploy: "skipped",
  report: "success",
  notify: "success",
  "pace-report": "success",
};

/**
 * Runs pipelines while `firerunner serve` is killed with SIGKILL at random moments and started again each time, and checks
 * that every job ran exactly once, ended as it should, and left nothing but the warm microVM.
 */
export async function runWithKills({ seed, pipelines }: KillOptions): Promise<void> {
  const world = await startWorld({ hosts: 2, pollS: 1, pool: { minIdle: 1, maxMicrovms: 5 } });
  try {
    const random = seededRandom(seed);
    // Every job adds a line to the one, and every kill to the other: both lie outside of whatever ends.
    const runs = join(world.directory, "runs");
    const kills = join(world.directory, "kills");
    writeFileSync(runs, "");
    writeFileSync(kills, "");
    let serve = world.startServe();
    await world.serviceAnswers();
    for (let pipeline = 0; pipeline < pipelines; pipeline += 1) {
      const project = `harbour-${pipeline + 1}`;
      const pushed = await world.push(project, { ".gitlab-ci.yml": pipelineOf(runs, kills, pipeline * killsPerPipeline) });
      for (let kill = 0; kill < killsPerPipeline; kill += 1) {
        serve = await killAndRestart(world, serve, random.next);
        appendFileSync(kills, "killed\n");
      }
      const jobs = await world.jobsWhenOver(pushed, overMs);
      expect(Object.fromEntries([...jobs].map(([name, { status }]) => [name, status]))).toEqual(results);
      const ran = readFileSync(runs, "utf8")
        .split("\n")
        .filter((line) => line.startsWith(`${project} `));
      expect(ran.toSorted()).toEqual(started(project));
      for (const { id, name } of jobs.values()) {
        const said = (await world.client.log(pushed.project.id, id)).match(/^ran 42$/gm) ?? [];
        expect([name, said.length]).toEqual([name, results[name] === "skipped" ? 0 : 1]);
      }
    }
    await world.nothingLeft(1);
    serve.signal("SIGTERM");
    expect(await endOf(serve)).toBe(0);
  } finally {
    await world.stop();
  }
}

/** Most lives last until some time after the service answers; one in five ends while it is still starting. */
async function killAndRestart(world: World, serve: Child, random: () => number): Promise<Child> {
  if (random() < 0.8) await world.serviceAnswers();
  await pause(random() * longestLifeMs);
  serve.signal("SIGKILL");
  expect(await endOf(serve), serve.output()).toBe("SIGKILL");
  return world.startServe();
}

/** In three of the stages a job waits for some of the kills, so that the pipeline runs during all of them. */
function pipelineOf(runs: string, kills: string, killsBefore: number): string {
  const work = (...more: readonly string[]) =>
    JSON.stringify([`echo "$CI_PROJECT_NAME $CI_JOB_NAME" >> ${runs}`, "echo ran $((40 + 2))", ...more]);
  const pace = (count: number) => work(`until test "$(wc -l < ${kills})" -ge ${killsBefore + count}; do sleep 0.1; done`);
  return `
stages: [build, test, deploy, report]
compile: {stage: build, script: ${work("sleep 0.3")}}
assets: {stage: build, script: ${work("sleep 1")}}
docs: {stage: build, script: ${work()}}
pace-build: {stage: build, script: ${pace(3)}}
unit: {stage: test, script: ${work("sleep 0.5")}}
lint: {stage: test, script: ${work()}}
experimental: {stage: test, allow_failure: true, script: ${work("exit 3")}}
broken: {stage: test, script: ${work("exit 1")}}
pace-test: {stage: test, script: ${pace(7)}}
deploy: {stage: deploy, script: ${work()}}
report: {stage: report, when: always, script: ${work("sleep 0.2")}}
notify: {stage: report, when: on_failure, script: ${work()}}
pace-report: {stage: report, when: always, script: ${pace(killsPerPipeline)}}
`;
}

function started(project: string): readonly string[] {
  return Object.keys(results)
    .filter((name) => results[name] !== "skipped")
    .map((name) => `${project} ${name}`)
    .toSorted();
}
