import type { Connection } from "../../model/connection.js";
import type { ForgeJob } from "../port.js";
import { jobOf } from "./answers.js";
import type { Client } from "./client.js";
import type { Attempt } from "./failure.js";
import { callGitLab, type GitLabCalls, known, refusedWith } from "./gitlab-calls.js";
import { readPages } from "./pages.js";

/** A project's waiting and running jobs; `complete` is false when there are more than are read. */
export interface ProjectJobs {
  readonly jobs: readonly ForgeJob[];
  readonly complete: boolean;
}

const activeStatuses = ["pending", "running", "canceling"] as const;

/** The job, or undefined when GitLab does not know it or its project. */
export function readJob(gitlab: GitLabCalls, connection: Connection, projectId: number, jobId: number): Promise<ForgeJob | undefined> {
  const what = `reading job ${jobId} of project ${projectId}`;
  return callGitLab(gitlab, connection, what, "readJobs", gitlab.limits.callMs, (client, attempt) =>
    showJob(gitlab, client, attempt, projectId, jobId),
  );
}

/** The same within a call that is under way. */
export async function showJob(
  { clock }: GitLabCalls,
  client: Client,
  attempt: Attempt,
  projectId: number,
  jobId: number,
): Promise<ForgeJob | undefined> {
  const job: unknown = await known(client.jobs().show(projectId, jobId));
  return job === undefined ? undefined : jobOf(attempt, job, projectId, clock.now());
}

/** Reads a project's active jobs, newest first. */
export async function readActiveJobs(gitlab: GitLabCalls, client: Client, attempt: Attempt, projectId: number): Promise<ProjectJobs> {
  try {
    return await readJobsIn(activeStatuses, gitlab, client, attempt, projectId);
  } catch (caught) {
    // An older GitLab knows no canceling jobs and refuses the word.
    if (refusedWith(caught) !== 400) throw caught;
    return readJobsIn(["pending", "running"], gitlab, client, attempt, projectId);
  }
}

async function readJobsIn(
  scope: readonly string[],
  { clock, limits }: GitLabCalls,
  client: Client,
  attempt: Attempt,
  projectId: number,
): Promise<ProjectJobs> {
  const query = { scope, pagination: "keyset", orderBy: "id", sort: "desc" };
  const { items, complete } = await readPages(client, attempt, `projects/${projectId}/jobs`, query, limits.jobPages);
  return { jobs: items.map((item) => jobOf(attempt, item, projectId, clock.now())), complete };
}
