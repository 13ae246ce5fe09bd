import type { Job } from "../model/job.js";

/** What happened to a job, and when. */
export interface JobStep {
  readonly at: number;
  readonly what: string;
}

/** What is known of a job's way, the oldest step first. */
export function jobSteps(job: Job): readonly JobStep[] {
  const decided =
    job.vm === undefined ? "microVM decided" : `microVM ${job.vm} decided${job.host === undefined ? "" : ` on host ${job.host}`}`;
  const times: readonly (readonly [number | undefined, string])[] = [
    [job.createdAt, "created"],
    [job.queuedAt, "queued"],
    [job.vmAt, decided],
    [job.startedAt, "started"],
    [job.finishedAt, `finished: ${job.status}`],
  ];
  return times.flatMap(([at, what]) => (at === undefined ? [] : [{ at, what }])).sort((a, b) => a.at - b.at);
}
