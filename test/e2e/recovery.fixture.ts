import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import { endOf } from "./child.fixture.js";
import { until } from "./until.fixture.js";
import { startWorld, type World } from "./world.fixture.js";

export interface RecoveryOptions {
  readonly seed: number;
  readonly kills: number;
  /** The command line of `firerunner`; from its sources when left out. */
  readonly command?: readonly string[];
}

/** How long it took from the start of a process until a host got its first Create, in milliseconds, for each time. */
export interface Recovery {
  readonly jobs: number;
  readonly firstCreateMs: readonly number[];
}

const jobsPerKill = 3;
const longestLifeMs = 400;

/**
 * Kills `firerunner serve` again and again with SIGKILL, a moment after it has had its first microVM created and while jobs of
 * this and earlier lives still run; jobs come meanwhile. Checks that every job ran exactly once and nothing is left.
 */
export async function recoverFromKills({ seed, kills, command }: RecoveryOptions): Promise<Recovery> {
  const world = await startWorld({ hosts: 2, pollS: 1, pool: { maxMicrovms: 32 } });
  try {
    const random = seededRandom(seed);
    const runs = join(world.directory, "runs");
    writeFileSync(runs, "");
    const pushed: Pushed[] = [await feed(world, 0, runs)];
    const firstCreateMs: number[] = [];
    let serve = world.startServe(command);
    await world.serviceAnswers();
    for (let kill = 0; kill < kills; kill += 1) {
      await pause(random.next() * longestLifeMs);
      serve.signal("SIGKILL");
      expect(await endOf(serve), serve.output()).toBe("SIGKILL");
      pushed.push(await feed(world, kill + 1, runs));
      const before = world.hosts.names().size;
      const startedAt = performance.now();
      serve = world.startServe(command);
      await until(`a microVM is created after kill ${kill + 1}`, () => world.hosts.names().size > before, {
        everyMs: 2,
        tell: serve.output,
      });
      firstCreateMs.push(performance.now() - startedAt);
    }
    const expected: string[] = [];
    for (const one of pushed) {
      const jobs = await world.jobsWhenOver(one, 180_000);
      for (const { id, name, status } of jobs.values()) {
        if (status !== "success") expect.fail(`${name} is ${status}: ${await world.client.log(one.project.id, id)}`);
      }
      expected.push(...jobs.keys());
    }
    const ran = readFileSync(runs, "utf8").trimEnd().split("\n");
    expect(ran.toSorted()).toEqual(expected.toSorted());
    await world.nothingLeft();
    serve.signal("SIGTERM");
    expect(await endOf(serve)).toBe(0);
    return { jobs: ran.length, firstCreateMs };
  } finally {
    await world.stop();
  }
}

/** Pushes a pipeline of jobs that wait when the service comes back. */
function feed(world: World, round: number, runs: string): Promise<Pushed> {
  const script = JSON.stringify([`echo "$CI_JOB_NAME" >> ${runs}`, "sleep 0.2"]);
  const jobs = Array.from({ length: jobsPerKill }, (_, n) => `job-${round}-${n + 1}: {script: ${script}}`);
  return world.push("load", { ".gitlab-ci.yml": `variables: {GIT_STRATEGY: none}\n${jobs.join("\n")}\n` });
}

/** The middle of some figures, and the one that 95 of 100 do not exceed. */
export function spread(figures: readonly number[]): { readonly median: number; readonly p95: number } {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95) };
}
