import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { ForgeJob, RetriedJob } from "../port.js";
import { jobOf } from "./answers.js";
import type { Client } from "./client.js";
import { type Attempt, attempted } from "./failure.js";
import { callGitLab, type GitLabCalls, known, refusedWith } from "./gitlab-calls.js";
import { showJob } from "./job-calls.js";
import { readPages } from "./pages.js";

/**
 * Cancels a job. GitLab answers with the job, which is `canceling` where its runner is given the time to end by itself,
 * and as it was where it is over. Only a newer GitLab (17.10 or so) knows `force`; an older one leaves the job as it is.
 */
export function cancelJob(
  gitlab: GitLabCalls,
  connection: Connection,
  projectId: number,
  jobId: number,
  force: boolean,
): Promise<ForgeJob | undefined> {
  const what = `${force ? "cancelling by force" : "cancelling"} job ${jobId} of project ${projectId}`;
  const need = force ? "forceCancel" : "cancelJobs";
  return callGitLab(gitlab, connection, what, need, gitlab.limits.callMs, async (client, attempt) => {
    const asking = client.post(`projects/${projectId}/jobs/${jobId}/cancel`, force ? { force } : {});
    const answer = await known(
      asking.catch(async (caught: unknown) => {
        if (refusedWith(caught) !== 403 && refusedWith(caught) !== 422) throw caught;
        // One that is over, or archived, may not be cancelled by anybody: that is no refusal of the token.
        const job = await showJob(gitlab, client, attempt, projectId, jobId);
        if (job?.status === "running" || job?.status === "canceling") throw caught;
        return job;
      }),
    );
    if (answer === undefined || !("body" in answer)) return answer;
    return jobOf(attempt, answer.body, projectId, gitlab.clock.now());
  });
}

/** Retries a job once: GitLab lists of each name in a pipeline the newest job only, which is another one after a retry. */
export function retryJob(gitlab: GitLabCalls, connection: Connection, job: RetriedJob): Promise<ForgeJob | undefined> {
  const { projectId, jobId } = job;
  const what = `retrying job ${jobId} of project ${projectId}`;
  return callGitLab(gitlab, connection, what, "cancelJobs", gitlab.limits.callMs, async (client, attempt) => {
    const newer = await newerJob(gitlab, client, attempt, job);
    if (newer !== undefined) return newer;
    try {
      const answer = await known(client.post(`projects/${projectId}/jobs/${jobId}/retry`, {}));
      return answer === undefined ? undefined : jobOf(attempt, answer.body, projectId, gitlab.clock.now());
    } catch (caught) {
      if (refusedWith(caught) !== 403) throw caught;
      // Somebody may have retried it in this moment.
      const since = await newerJob(gitlab, client, attempt, job);
      if (since === undefined) throw caught;
      return since;
    }
  });
}

async function newerJob(
  { clock, limits }: GitLabCalls,
  client: Client,
  attempt: Attempt,
  { projectId, pipelineId, jobId, name }: RetriedJob,
): Promise<ForgeJob | undefined> {
  const listed = await known(readPages(client, attempt, `projects/${projectId}/pipelines/${pipelineId}/jobs`, {}, limits.jobPages));
  const jobs = (listed?.items ?? []).map((item) => jobOf(attempt, item, projectId, clock.now()));
  const newer = jobs.find((other) => other.name === name && other.jobId > jobId);
  if (newer === undefined && listed?.complete === false) {
    const message = `${attempted(attempt)}: its pipeline has more jobs than are read, so it is not known whether it was retried already`;
    throw new FireRunnerError("FR-FORGE-REJECTED", message, { details: { connection: attempt.connection.name } });
  }
  return newer;
}
