import { setTimeout as pause } from "node:timers/promises";
import { isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { parseFaultList } from "../../reconciler/embedded/host/fault-list.js";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import type { EmbeddedHost } from "../../reconciler/embedded/host/start-embedded-host.js";
import type { Random } from "../../reconciler/model/clock.js";
import { type HostsLeftovers, startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

export interface StormOptions {
  readonly hosts: number;
  readonly jobs: number;
  /** Faults of the hosts in the words of `firerunner dev --faults`. */
  readonly faults: string;
  /** How often some host's daemon goes away for up to three seconds; never when left out. */
  readonly outageEveryMs?: number;
  readonly seed: number;
  readonly deadlineMs: number;
}

/** What a storm has shown. */
export interface StormReport {
  /** What must never be, in words. */
  readonly violations: readonly string[];
  /** How many microVMs there were, and how many at most at one time. */
  readonly microvms: number;
  readonly most: number;
  /** How many microVMs ended for which reason. */
  readonly failures: ReadonlyMap<string, number>;
  readonly left: HostsLeftovers;
  /** How many jobs ended how. */
  readonly jobs: ReadonlyMap<string, number>;
  readonly tookMs: number;
}

const jobsPerPipeline = 100;
const tidyDeadlineMs = 120_000;
const longestOutageMs = 3_000;

/** Sends jobs through hosts that fail by chance, and counts what is left when all of them are over. */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const beganAt = performance.now();
  const random = seededRandom(options.seed);
  const work = (signal: AbortSignal) => pause(50 + random.next() * 250, undefined, { signal });
  const world = await startHostsWorld({ hosts: options.hosts, seed: options.seed, work });
  const over = new AbortController();
  const outages = options.outageEveryMs === undefined ? undefined : comeAndGo(world.hosts, options.outageEveryMs, random, over.signal);
  try {
    for (const host of world.hosts) host.dial(parseFaultList(options.faults).dials);
    const { client } = world;
    const pushed: Pushed[] = [];
    for (let from = 0; from < options.jobs; from += jobsPerPipeline) {
      const count = Math.min(jobsPerPipeline, options.jobs - from);
      const jobs = Array.from({ length: count }, (_, n) => `job-${n}: {script: [exit 0], tags: [${n % 5 === 0 ? "large" : "small"}]}\n`);
      pushed.push(await world.push(`storm-${from / jobsPerPipeline}`, jobs.join("")));
    }
    const unfinished = new Set(pushed);
    await until(
      "every pipeline is over",
      async () => {
        for (const one of unfinished) if (isOver((await client.pipeline(one.project.id, one.pipeline.id)).status)) unfinished.delete(one);
        return unfinished.size === 0;
      },
      { deadlineMs: options.deadlineMs, everyMs: 500, tell: () => `${unfinished.size} pipelines; ${world.violations().join("\n")}` },
    );
    over.abort();
    await outages;
    let left = await world.left();
    for (const limit = performance.now() + tidyDeadlineMs; Object.values(left).some((n) => n > 0) && performance.now() < limit; ) {
      await pause(250);
      left = await world.left();
    }
    const jobs = new Map<string, number>();
    for (const { project, pipeline } of pushed) {
      for (const { status } of await client.jobs(project.id, pipeline.id)) jobs.set(status, (jobs.get(status) ?? 0) + 1);
    }
    const { spawned, failures } = world;
    const tookMs = performance.now() - beganAt;
    return { violations: world.violations(), microvms: spawned.size, most: world.most(), failures, left, jobs, tookMs };
  } finally {
    over.abort();
    await outages;
    await world.stop();
  }
}

/** Takes one host after the other down for a while, until it is over; then all are up. */
async function comeAndGo(hosts: readonly EmbeddedHost[], everyMs: number, random: Random, over: AbortSignal): Promise<void> {
  const wait = (ms: number) => pause(ms, undefined, { signal: over }).catch(() => undefined);
  for (;;) {
    await wait(everyMs);
    const host = hosts[Math.floor(random.next() * hosts.length)];
    if (over.aborted || host === undefined) return;
    await host.takeDown();
    await wait(random.next() * longestOutageMs);
    await host.bringUp();
  }
}
