import type { Clock, Random } from "../../../model/clock.js";
import { advance } from "./advance.js";
import { type Change, changesBetween } from "./changes.js";
import type { Fresh } from "./new-job.js";
import { type NewPipeline, newRun, type Read } from "./new-run.js";
import { liveJobs, overdue, type Patience } from "./overdue.js";
import { createResources } from "./resources.js";
import { type Assignment, isFinished, type Job, type Run } from "./run.js";
import { createSchedule } from "./schedule.js";
import * as transitions from "./transitions.js";

export interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Finished pipelines beyond this many are forgotten, oldest first. */
  readonly maxPipelines: number;
  /** How long jobs may run whose definition does not say, in seconds. */
  readonly projectTimeoutS: number;
}

/** A job and the run that it belongs to. */
export interface Found {
  readonly run: Run;
  readonly job: Job;
}

/** All pipelines, in memory. Every call moves one of them as far as it goes and tells the listeners what became different. */
export interface Engine {
  /** Whether no more pipelines are taken, because so many have not ended. */
  full(): boolean;
  /** Makes a pipeline. Its jobs that wait for nothing are pending when this returns. */
  create(made: NewPipeline, read: Read): Run;
  run(pipelineId: number): Run | undefined;
  job(jobId: number): Found | undefined;
  /** All runs, newest first. */
  runs(): readonly Run[];
  /** The runs of a project, newest first. */
  runsOf(projectId: number): readonly Run[];
  /** Jobs that a runner may take, oldest first. */
  pending(): readonly Found[];
  /** Jobs that are with a runner. */
  running(): readonly Found[];
  /** The job whose runner holds this token, while it runs. */
  jobByToken(token: string): Found | undefined;

  assign(jobId: number, assignment: Assignment, timeoutS: number): void;
  heard(jobId: number): void;
  finish(jobId: number, outcome: transitions.Outcome): void;
  cancelJob(jobId: number, force: boolean): void;
  cancelPipeline(pipelineId: number): void;
  play(jobId: number): void;
  /** The job that takes the place of this one; undefined when this one cannot be repeated. */
  retryJob(jobId: number): Job | undefined;
  retryPipeline(pipelineId: number): void;
  /** Fails the jobs that are given up by now; `served` tells whether a runner for a job is online. */
  giveUp(patience: Patience, served: (found: Found) => boolean): void;

  /** Calls back for every change, in order; the returned function ends that. */
  onChange(listener: (change: Change) => void): () => void;
  /** Calls back with the ids of jobs that were forgotten. */
  onForgotten(listener: (jobIds: readonly number[]) => void): void;
  /** Lets no delayed job start any more. */
  stop(): void;
}

export function createEngine({ clock, random, maxPipelines, projectTimeoutS }: EngineOptions): Engine {
  const runs = new Map<number, Run>();
  const pipelineOfJob = new Map<number, number>();
  const jobOfToken = new Map<string, number>();
  const live = new Set<number>();
  const iids = new Map<number, number>();
  const listeners = new Set<(change: Change) => void>();
  const forgetters = new Set<(jobIds: readonly number[]) => void>();
  const resources = createResources();
  const schedule = createSchedule(clock, (jobId) => change(jobId, ({ run, job }) => transitions.play(run, job, clock.now())));
  let lastPipelineId = 0;
  let lastJobId = 0;

  const fresh = (): Fresh => {
    lastJobId += 1;
    return { id: lastJobId, token: `glcbt-${random.hex(16)}` };
  };

  function find(jobId: number): Found | undefined {
    const run = runs.get(pipelineOfJob.get(jobId) ?? 0);
    const job = run?.jobs.find((candidate) => candidate.id === jobId);
    return run === undefined || job === undefined ? undefined : { run, job };
  }

  function commit(before: Run | undefined, after: Run): Run {
    if (before === after) return after;
    runs.set(after.pipeline.id, after);
    for (const job of after.jobs) {
      pipelineOfJob.set(job.id, after.pipeline.id);
      if (isFinished(job.status)) jobOfToken.delete(job.token);
      else jobOfToken.set(job.token, job.id);
    }
    if (liveJobs(after).length > 0) live.add(after.pipeline.id);
    else live.delete(after.pipeline.id);
    schedule.keep(after);
    for (const change of changesBetween(before, after)) for (const listener of listeners) listener(change);
    grantResources(after);
    return runs.get(after.pipeline.id) ?? after;
  }

  /** A resource of the project that this run has freed, or waits for, goes to the oldest job that waits. */
  function grantResources(run: Run): void {
    for (const jobId of resources.keep(run)) change(jobId, (found) => transitions.grantResource(found.run, found.job, clock.now()));
  }

  function change(jobId: number, step: (found: Found) => Run): void {
    const found = find(jobId);
    if (found !== undefined) commit(found.run, step(found));
  }

  /** Oldest first, as long as they have ended: those that have not are never forgotten. */
  function forget(): void {
    for (const run of runs.values()) {
      if (runs.size <= maxPipelines) return;
      if (!isFinished(run.pipeline.status)) continue;
      runs.delete(run.pipeline.id);
      resources.forget(run);
      for (const { id } of run.jobs) pipelineOfJob.delete(id);
      for (const forgetter of forgetters) forgetter(run.jobs.map(({ id }) => id));
    }
  }

  function liveOnes(wanted: (job: Job) => boolean): readonly Found[] {
    return [...live]
      .flatMap((id) => runs.get(id) ?? [])
      .flatMap((run) =>
        liveJobs(run)
          .filter(wanted)
          .map((job) => ({ run, job })),
      )
      .sort((a, b) => a.job.id - b.job.id);
  }

  return {
    full: () => runs.size >= 2 * maxPipelines,
    create(made, read) {
      lastPipelineId += 1;
      const iid = (iids.get(made.projectId) ?? 0) + 1;
      iids.set(made.projectId, iid);
      const now = clock.now();
      const run = commit(undefined, advance(newRun(made, { id: lastPipelineId, iid }, read, fresh, projectTimeoutS, now), now));
      forget();
      return run;
    },
    run: (pipelineId) => runs.get(pipelineId),
    job: find,
    runs: () => [...runs.values()].reverse(),
    runsOf: (projectId) => [...runs.values()].filter((run) => run.pipeline.projectId === projectId).reverse(),
    pending: () => liveOnes((job) => job.status === "pending"),
    running: () => liveOnes((job) => job.status !== "pending"),
    jobByToken(token) {
      const id = jobOfToken.get(token);
      const found = id === undefined ? undefined : find(id);
      return found?.job.assignment === undefined ? undefined : found;
    },

    assign: (jobId, assignment, timeoutS) =>
      change(jobId, ({ run, job }) => transitions.assign(run, job, assignment, timeoutS, clock.now())),
    heard: (jobId) => change(jobId, ({ run, job }) => transitions.heard(run, job, clock.now())),
    finish: (jobId, outcome) => change(jobId, ({ run, job }) => transitions.finish(run, job, outcome, fresh, clock.now())),
    cancelJob: (jobId, force) => change(jobId, ({ run, job }) => transitions.cancelJob(run, job, force, clock.now())),
    cancelPipeline(pipelineId) {
      const run = runs.get(pipelineId);
      if (run !== undefined) commit(run, transitions.cancelPipeline(run, clock.now()));
    },
    play: (jobId) => change(jobId, ({ run, job }) => transitions.play(run, job, clock.now())),
    retryJob(jobId) {
      const found = find(jobId);
      if (found === undefined || !transitions.canRetry(found.job)) return undefined;
      const made = fresh();
      commit(found.run, transitions.retryJob(found.run, found.job, made, clock.now()));
      return find(made.id)?.job;
    },
    retryPipeline(pipelineId) {
      const run = runs.get(pipelineId);
      if (run !== undefined) commit(run, transitions.retryPipeline(run, fresh, clock.now()));
    },
    giveUp(patience, served) {
      const now = clock.now();
      for (const { job } of liveOnes(() => true)) {
        change(job.id, (found) => {
          const reason = overdue(found.job, now, patience, () => served(found));
          return reason === undefined
            ? found.run
            : transitions.finish(found.run, found.job, { result: "failed", reason, exitCode: undefined }, fresh, now);
        });
      }
    },

    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onForgotten: (listener) => void forgetters.add(listener),
    stop: schedule.stop,
  };
}
