import type { FailureReason } from "./failure-reasons.js";
import { isRunning, type Job, type Run } from "./run.js";

/** When the server gives a job up by itself, in milliseconds. */
export interface Patience {
  /** A running job whose runner was not heard for so long. */
  readonly silentMs: number;
  /** A running job that is beyond its timeout by so much: its runner should have ended it. */
  readonly timeoutMarginMs: number;
  /** A pending job that no runner which is online may take. */
  readonly stuckMs: number;
  /** Any pending job. */
  readonly pendingMs: number;
}

/** Why the server gives the job up now, or undefined while it does not. `served` tells whether a runner for it is online. */
export function overdue(job: Job, now: number, patience: Patience, served: () => boolean): FailureReason | undefined {
  if (job.status === "pending" && job.queuedAt !== undefined) {
    const waited = now - job.queuedAt;
    if (waited >= patience.pendingMs) return "stuck_or_timeout_failure";
    return waited >= patience.stuckMs && !served() ? "stuck_or_timeout_failure" : undefined;
  }
  if (isRunning(job.status) && job.startedAt !== undefined) {
    if (now - job.startedAt >= job.timeoutS * 1000 + patience.timeoutMarginMs) return "job_execution_timeout";
    return now - (job.heardAt ?? job.startedAt) >= patience.silentMs ? "stuck_or_timeout_failure" : undefined;
  }
  return undefined;
}

/** The jobs of a run that wait for a runner or are with one. */
export const liveJobs = (run: Run): readonly Job[] => run.jobs.filter((job) => job.status === "pending" || isRunning(job.status));
