import { advance } from "./advance.js";
import type { FailureReason } from "./failure-reasons.js";
import { type Fresh, newJob } from "./new-job.js";
import { type Assignment, isFinished, isRunning, type Job, latestJobs, type Run, withJob } from "./run.js";

/** How a job ended. */
export type Outcome =
  | { readonly result: "success" }
  | { readonly result: "failed"; readonly reason: FailureReason; readonly exitCode: number | undefined };

/** Hands a pending job to a runner: from here on it runs. `timeoutS` is what job, project and runner allow together. */
export function assign(run: Run, job: Job, assignment: Assignment, timeoutS: number, now: number): Run {
  if (job.status !== "pending") return run;
  return advance(withJob(run, { ...job, status: "running", assignment, timeoutS, startedAt: now, heardAt: now }), now);
}

/** The runner of the job was heard. */
export function heard(run: Run, job: Job, now: number): Run {
  return withJob(run, { ...job, heardAt: now });
}

/** Ends a job. One that is being cancelled ends as cancelled, whatever came of it; a failed one may be repeated. */
export function finish(run: Run, job: Job, outcome: Outcome, fresh: () => Fresh, now: number): Run {
  if (isFinished(job.status)) return run;
  if (job.status === "canceling") return advance(withJob(run, { ...job, status: "canceled", finishedAt: now }), now);
  if (outcome.result === "success") return advance(withJob(run, { ...job, status: "success", finishedAt: now }), now);
  const { reason, exitCode } = outcome;
  const failed: Job = {
    ...job,
    status: "failed",
    finishedAt: now,
    failureReason: reason,
    exitCode,
    allowFailure: job.allowFailure || allowsExitCode(job, exitCode),
  };
  const after = withJob(run, failed);
  return advance(repeats(failed) ? repeated(after, failed, fresh(), now) : after, now);
}

/**
 * Cancels a job. A runner that ends cancelled jobs by itself is given the time to (`canceling`), unless `force` cuts
 * it short. A finished job stays as it is.
 */
export function cancelJob(run: Run, job: Job, force: boolean, now: number): Run {
  return advance(withJob(run, cancelled(job, force, now)), now);
}

/** Cancels every job that has not ended. */
export function cancelPipeline(run: Run, now: number): Run {
  return advance({ ...run, jobs: run.jobs.map((job) => cancelled(job, false, now)) }, now);
}

/** Starts a manual job, or a delayed one before its time. */
export function play(run: Run, job: Job, now: number): Run {
  if (job.status !== "manual" && job.status !== "scheduled") return run;
  return advance(withJob(unskipped(run, job), { ...job, status: "created", released: true }), now);
}

/** Whether somebody may start the job by hand: it waits for that, or it did once and can be repeated. */
export const canPlay = (job: Job): boolean =>
  job.status === "manual" ||
  job.status === "scheduled" ||
  ((job.definition.when === "manual" || job.definition.when === "delayed") && canRetry(job));

/** Gives a job the resource that it waits for: from here on it is for a runner to take. */
export function grantResource(run: Run, job: Job, now: number): Run {
  if (job.status !== "waiting_for_resource") return run;
  return advance(withJob(run, { ...job, status: "pending", queuedAt: now }), now);
}

/** Whether the job can be repeated: it ended, was not skipped, and nothing has replaced it. */
export const canRetry = (job: Job): boolean => !job.retried && isFinished(job.status) && job.status !== "skipped";

/** Repeats an ended job as a new one with an id of its own; what was skipped after it may run now. */
export function retryJob(run: Run, job: Job, fresh: Fresh, now: number): Run {
  if (!canRetry(job)) return run;
  return advance(repeated(unskipped(run, job), job, fresh, now), now);
}

/** Repeats every failed or cancelled job of the pipeline. */
export function retryPipeline(run: Run, fresh: () => Fresh, now: number): Run {
  return latestJobs(run)
    .filter((job) => job.status === "failed" || job.status === "canceled")
    .reduce((current, job) => retryJob(current, job, fresh(), now), run);
}

function cancelled(job: Job, force: boolean, now: number): Job {
  if (isFinished(job.status)) return job;
  if (isRunning(job.status) && job.assignment?.gracefulCancel === true && !force) return { ...job, status: "canceling" };
  return { ...job, status: "canceled", finishedAt: now };
}

function allowsExitCode(job: Job, exitCode: number | undefined): boolean {
  const { allowFailure } = job.definition;
  return typeof allowFailure === "object" && exitCode !== undefined && allowFailure.exitCodes.includes(exitCode);
}

function repeats(job: Job): boolean {
  const { max, when } = job.definition.retry;
  const reason = job.failureReason;
  const wanted = when.length === 0 || when.includes("always") || (reason !== undefined && when.includes(reason));
  return job.attempt < max && wanted;
}

function repeated(run: Run, job: Job, fresh: Fresh, now: number): Run {
  const again: Job = { ...newJob(job.definition, fresh, job.timeoutS, now), released: true, attempt: job.attempt + 1 };
  const replaced = withJob(run, { ...job, retried: true });
  return { ...replaced, jobs: [...replaced.jobs, again] };
}

/** Jobs that were skipped and come after `job` wait again: what they waited for has another chance. */
function unskipped(run: Run, job: Job): Run {
  const after = new Set([job.definition.name]);
  const { stages } = run.pipeline;
  const place = stages.indexOf(job.definition.stage);
  const latest = latestJobs(run);
  let size = 0;
  while (size !== after.size) {
    size = after.size;
    for (const { definition } of latest) {
      const follows =
        definition.needs === undefined ? stages.indexOf(definition.stage) > place : definition.needs.some((need) => after.has(need.job));
      if (follows) after.add(definition.name);
    }
  }
  const waitsAgain = (other: Job) =>
    other.status === "skipped" && !other.retried && other.id !== job.id && after.has(other.definition.name);
  return {
    ...run,
    jobs: run.jobs.map((other) => (waitsAgain(other) ? { ...other, status: "created" } : other)),
  };
}
