import { isFinished, type Job, latestJobs, type PipelineStatus, type Run } from "./run.js";
import { summarise, weightOf } from "./summarise.js";

/** How the jobs that a job comes after have ended, or that they have not. */
type Prior = "waiting" | "success" | "skipped" | "failed" | "canceled";

/**
 * Moves every job that waits for others as far as it can go, then sums the pipeline up. Calling it again changes
 * nothing. `now` is in milliseconds since the epoch.
 */
export function advance(run: Run, now: number): Run {
  let current = run;
  // Each round decides at least one job for good, so there are at most as many rounds as jobs.
  for (let rounds = 0; rounds <= run.jobs.length; rounds += 1) {
    const next = decideAll(current, now);
    if (next === current) break;
    current = next;
  }
  return summed(current, now);
}

function decideAll(run: Run, now: number): Run {
  const latest = latestJobs(run);
  const byName = new Map(latest.map((job) => [job.definition.name, job]));
  let changed = false;
  const jobs = run.jobs.map((job) => {
    if (job.status !== "created" || job.retried) return job;
    const decided = decide(job, job.released ? "success" : priorOf(job, run, latest, byName), now);
    if (decided !== job) changed = true;
    return decided;
  });
  return changed ? { ...run, jobs } : run;
}

function decide(job: Job, prior: Prior, now: number): Job {
  if (prior === "waiting") return job;
  const pending: Job =
    job.definition.resourceGroup === undefined ? { ...job, status: "pending", queuedAt: now } : { ...job, status: "waiting_for_resource" };
  const skipped: Job = { ...job, status: "skipped" };
  if (job.released) return pending;
  switch (job.definition.when) {
    case "always":
      return pending;
    case "on_failure":
      return prior === "failed" ? pending : skipped;
    case "manual":
      return prior === "success" ? { ...job, status: "manual" } : skipped;
    case "delayed":
      return prior === "success" ? { ...job, status: "scheduled", scheduledAt: now + (job.definition.startInS ?? 0) * 1000 } : skipped;
    case "on_success":
      return prior === "success" ? pending : skipped;
  }
}

function priorOf(job: Job, run: Run, latest: readonly Job[], byName: ReadonlyMap<string, Job>): Prior {
  const { needs, stage } = job.definition;
  if (needs === undefined) {
    const place = run.pipeline.stages.indexOf(stage);
    return afterStages(latest.filter((other) => run.pipeline.stages.indexOf(other.definition.stage) < place));
  }
  return afterNeeds(needs.flatMap((need) => byName.get(need.job) ?? []));
}

/** Whole stages: a job that somebody may still start holds nobody up when its failure is allowed; skipped ones pass. */
function afterStages(jobs: readonly Job[]): Prior {
  const weights = new Set(jobs.map(weightOf));
  if (jobs.some((job) => weightOf(job) !== "ignored" && !isFinished(job.status))) return "waiting";
  if (weights.has("failed")) return "failed";
  return weights.has("canceled") ? "canceled" : "success";
}

/** Needs: each must have ended, one that somebody may still start included, and one that was skipped passes nothing on. */
function afterNeeds(jobs: readonly Job[]): Prior {
  if (jobs.some((job) => !isFinished(job.status))) return "waiting";
  const weights = new Set(jobs.map(weightOf));
  if (weights.has("skipped")) return "skipped";
  if (weights.has("failed")) return "failed";
  return weights.has("canceled") ? "canceled" : "success";
}

function summed(run: Run, now: number): Run {
  const { pipeline } = run;
  const status: PipelineStatus = pipeline.yamlErrors === undefined ? summarise(latestJobs(run)) : "failed";
  if (status === pipeline.status) return run;
  const ended = isFinished(status);
  const started = status === "running" || ended;
  return {
    ...run,
    pipeline: {
      ...pipeline,
      status,
      updatedAt: now,
      startedAt: pipeline.startedAt ?? (started ? now : undefined),
      finishedAt: ended ? now : undefined,
    },
  };
}
