import { isFinished, isRunning, type Job, type Run } from "./run.js";

/** Which jobs of a project's resource groups hold the resource, and which wait for it. */
export interface Resources {
  /** Notes how the run's jobs stand, and returns the ids of the jobs whose turn it is now: at most one of each group. */
  keep(run: Run): readonly number[];
  forget(run: Run): void;
}

/** Jobs of one group run one after the other, in the order of their ids. */
export function createResources(): Resources {
  /** By project and group, the jobs that have not ended. */
  const groups = new Map<string, Map<number, Job>>();
  const keyOf = (run: Run, job: Job) => `${run.pipeline.projectId} ${job.definition.resourceGroup}`;

  function next(jobs: ReadonlyMap<number, Job>): Job | undefined {
    if ([...jobs.values()].some(({ status }) => status === "pending" || isRunning(status))) return undefined;
    return [...jobs.values()].filter(({ status }) => status === "waiting_for_resource").sort((a, b) => a.id - b.id)[0];
  }

  return {
    keep(run) {
      const touched = new Set<string>();
      for (const job of run.jobs) {
        if (job.definition.resourceGroup === undefined) continue;
        const key = keyOf(run, job);
        const jobs = groups.get(key) ?? new Map<number, Job>();
        if (isFinished(job.status)) jobs.delete(job.id);
        else jobs.set(job.id, job);
        if (jobs.size === 0) groups.delete(key);
        else groups.set(key, jobs);
        touched.add(key);
      }
      return [...touched].flatMap((key) => {
        const jobs = groups.get(key);
        const turn = jobs === undefined ? undefined : next(jobs);
        return turn === undefined ? [] : [turn.id];
      });
    },
    forget(run) {
      for (const job of run.jobs) {
        const key = keyOf(run, job);
        if (groups.get(key)?.delete(job.id) === true && groups.get(key)?.size === 0) groups.delete(key);
      }
    },
  };
}
