import type { Job, Run } from "./run.js";

/** Something that became different in a run. A job that was made and moved on at once is told of twice. */
export type Change = { readonly kind: "job"; readonly run: Run; readonly job: Job } | { readonly kind: "pipeline"; readonly run: Run };

/** What became different between two states of a run; `before` is undefined when it is new. */
export function changesBetween(before: Run | undefined, after: Run): readonly Change[] {
  const old = new Map(before?.jobs.map((job) => [job.id, job]));
  const jobs = after.jobs.flatMap((job): readonly Change[] => {
    const was = old.get(job.id);
    if (was?.status === job.status) return [];
    const moved: Change = { kind: "job", run: after, job };
    if (was !== undefined || job.status === "created") return [moved];
    return [{ kind: "job", run: after, job: { ...job, status: "created", queuedAt: undefined } }, moved];
  });
  return before?.pipeline.status === after.pipeline.status ? jobs : [...jobs, { kind: "pipeline", run: after }];
}
