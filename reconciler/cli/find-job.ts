import { FireRunnerError } from "../model/errors.js";
import type { Job } from "../model/job.js";
import type { AdminClient } from "./admin-client.js";
import { UsageError } from "./usage-error.js";

/** A job as the admin API shows it. */
export type ShownJob = Job & { readonly key: string };

/** The job that `CONNECTION/PROJECT/JOB` or a bare id means; `FR-NOT-FOUND`, or `FR-INVALID` when several have the id. */
export async function findJob(client: AdminClient, text: string): Promise<ShownJob> {
  if (/^[a-z0-9-]+\/\d+\/\d+$/.test(text)) return (await client.read(`/v1/jobs/${text}`)) as ShownJob;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`"${text}" is refused: a job is CONNECTION/PROJECT/JOB or its id`);
  const found = (await client.list("/v1/jobs", { jobId: text })) as readonly ShownJob[];
  const [job] = found;
  if (job === undefined) throw new FireRunnerError("FR-NOT-FOUND", `job ${text} is not known here`);
  if (found.length > 1) {
    const keys = found.map(({ key }) => key).join(", ");
    throw new FireRunnerError("FR-INVALID", `several jobs have the id ${text}: name one of ${keys}`);
  }
  return job;
}
