import { setTimeout as pause } from "node:timers/promises";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

export interface TornHooks {
  readonly projects: number;
  readonly jobsOfEach: number;
  readonly hosts: number;
  readonly deadlineMs: number;
}

/** What became of it. Delays are milliseconds from when a job was made until the service knew it, the middle one of each kind. */
export interface TornReport {
  readonly jobs: ReadonlyMap<string, number>;
  /** What must never be, in words. */
  readonly violations: readonly string[];
  readonly ran: number;
  readonly left: Readonly<Record<string, number>>;
  /** Of jobs of which a webhook told, and of those that a poll found. */
  readonly hooked: { readonly count: number; readonly medianMs: number };
  readonly found: { readonly count: number; readonly medianMs: number };
}

/** Jobs of many projects whose webhooks are lost (30 %), come twice (30 %) and in any order. */
export async function runTornHooks({ projects, jobsOfEach, hosts, deadlineMs }: TornHooks): Promise<TornReport> {
  const world = await startHostsWorld({ hosts, seed: 6, work: (power) => pause(5, undefined, { signal: power }) });
  try {
    const { store } = world.service;
    const hookedAt = new Map<number, number>();
    const knownAt = new Map<number, number>();
    store.watch(({ changed }) => {
      for (const { kind, key } of changed) {
        const jobId = Number(key.split("/").at(-1));
        const isHook = kind === "hint" && store.get("hint", key)?.value.hookedAt !== undefined;
        if (isHook && !hookedAt.has(jobId)) hookedAt.set(jobId, Date.now());
        if (kind === "job" && !knownAt.has(jobId)) knownAt.set(jobId, Date.now());
      }
    });
    world.gitlab.setDials({ hooks: { dropShare: 0.3, duplicateShare: 0.3, jitterMs: 300 } });
    const ciFile = Array.from({ length: jobsOfEach }, (_, n) => `job-${n + 1}: {script: ["true"]}\n`).join("");
    const pushed: Pushed[] = [];
    for (let n = 1; n <= projects; n += 1) pushed.push(await world.push(`torn-${n}`, ciFile));
    const jobs = new Map<string, number>();
    await until(
      `all ${projects * jobsOfEach} jobs are over`,
      async () => {
        jobs.clear();
        for (const { project, pipeline } of pushed) {
          for (const { status } of await world.client.jobs(project.id, pipeline.id)) jobs.set(status, (jobs.get(status) ?? 0) + 1);
        }
        return (jobs.get("success") ?? 0) === projects * jobsOfEach;
      },
      { deadlineMs, everyMs: 500, tell: () => JSON.stringify([...jobs]) },
    );
    let left = await world.left();
    const isTidy = async () => {
      left = await world.left();
      return Object.values(left).every((count) => count === 0);
    };
    await until("nothing is left", isTidy, { deadlineMs, everyMs: 200, tell: () => JSON.stringify(left) });
    const known = store.list("job").map(({ value: job }) => ({
      wasHooked: (hookedAt.get(job.jobId) ?? Number.POSITIVE_INFINITY) <= (knownAt.get(job.jobId) ?? 0),
      ms: (knownAt.get(job.jobId) ?? Number.NaN) - (job.createdAt ?? Number.NaN),
    }));
    const of = (wasHooked: boolean) => {
      const delays = known.filter((one) => one.wasHooked === wasHooked).map(({ ms }) => ms);
      return { count: delays.length, medianMs: delays.toSorted((a, b) => a - b)[Math.floor(delays.length / 2)] ?? 0 };
    };
    return { jobs, violations: world.violations(), ran: world.ran.size, left, hooked: of(true), found: of(false) };
  } finally {
    await world.stop();
  }
}
