import { type GitLabClient, isOver, type PipelineJob } from "../../reconciler/cli/dev/gitlab-client.js";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { type UntilOptions, until } from "../e2e/until.fixture.js";

/** The jobs of a pushed pipeline by their names, once all are over: a job in a virtual machine takes its time. */
export function jobsWhenOver(
  client: GitLabClient,
  { project, pipeline }: Pushed,
  options: Required<Pick<UntilOptions, "deadlineMs" | "tell">>,
): Promise<ReadonlyMap<string, PipelineJob>> {
  const over = async () => {
    const jobs = await client.jobs(project.id, pipeline.id);
    return jobs.length > 0 && jobs.every(({ status }) => isOver(status)) && new Map(jobs.map((job) => [job.name, job]));
  };
  return until(`all jobs of ${project.path_with_namespace} are over`, over, { ...options, everyMs: 250 });
}
