import { jobSteps } from "../http/job-steps.js";
import { isFinished } from "../model/job.js";
import type { ShownJob } from "./find-job.js";
import { duration, timestamp } from "./output/times.js";

/** What happened to a job and when, and what it waits for while it does. */
export interface JobStory {
  readonly waiting: string | undefined;
  /** When, what, and how long after the step before. */
  readonly steps: readonly (readonly [at: string, what: string, after: string])[];
}

export function jobStory(job: ShownJob, now: number): JobStory {
  const known = jobSteps(job);
  const steps = known.map(({ at, what }, index) => {
    const before = known[index - 1];
    return [timestamp(at), what, before === undefined ? "" : `+${duration(at - before.at)}`] as const;
  });
  const last = known.at(-1);
  const going = isFinished(job.status) || last === undefined ? [] : [[timestamp(now), job.status, `+${duration(now - last.at)}`] as const];
  return { waiting: waitingText(job, now), steps: [...steps, ...going] };
}

function waitingText({ status, waitingReason, queuedAt }: ShownJob, now: number): string | undefined {
  if (status !== "pending") return undefined;
  const since = `for ${duration(now - queuedAt)}`;
  return waitingReason === undefined ? `${since}; nothing holds it up` : `${since}: ${waitingReason.message} (${waitingReason.code})`;
}
