import type { Job, JobStatus, PipelineStatus } from "./run.js";

/** What a job weighs in a sum: `warning` failed but was allowed to, `ignored` waits for somebody but holds nobody up. */
type Weight = JobStatus | "warning" | "ignored";

/** What a job weighs when statuses are summed up. */
export function weightOf(job: Pick<Job, "status" | "allowFailure">): Weight {
  if (!job.allowFailure) return job.status;
  if (job.status === "failed" || job.status === "canceled") return "warning";
  return job.status === "manual" ? "ignored" : job.status;
}

/** The status of jobs taken together; retried ones must have been left out. No jobs at all sum up to `skipped`. */
export function summarise(jobs: readonly Pick<Job, "status" | "allowFailure">[]): PipelineStatus {
  const weights = new Set(jobs.map(weightOf));
  const has = (weight: Weight) => weights.has(weight);
  const only = (...allowed: readonly Weight[]) => [...weights].every((weight) => allowed.includes(weight));

  if (only("skipped", "ignored")) return "skipped";
  if (only("success", "skipped", "warning", "ignored")) return "success";
  if (only("created", "warning", "ignored")) return "created";
  if (has("canceling")) return "canceling";
  if (only("pending", "created", "skipped", "warning", "ignored")) return "pending";
  if (has("running") || has("pending")) return "running";
  if (has("waiting_for_resource")) return "waiting_for_resource";
  if (has("manual")) return "manual";
  if (has("scheduled")) return "scheduled";
  if (has("created")) return "running";
  return has("failed") ? "failed" : "canceled";
}
