import { latestJobs, type Run } from "../engine/run.js";
import type { Project } from "../records/project.js";
import { projectUrl } from "./project-entity.js";
import { isoTime, secondsBetween } from "./times.js";
import { userEntity } from "./user.js";

/** A pipeline as REST lists it and shows it within a job. */
export const pipelineEntity = ({ pipeline }: Run, project: Project, url: string) => ({
  id: pipeline.id,
  iid: pipeline.iid,
  project_id: pipeline.projectId,
  sha: pipeline.commit.sha,
  ref: pipeline.ref,
  status: pipeline.status,
  source: pipeline.source,
  created_at: isoTime(pipeline.createdAt),
  updated_at: isoTime(pipeline.updatedAt),
  web_url: `${projectUrl(project, url)}/-/pipelines/${pipeline.id}`,
  name: null,
});

/** A pipeline by itself. */
export const pipelineDetails = (run: Run, project: Project, url: string) => ({
  ...pipelineEntity(run, project, url),
  before_sha: run.pipeline.beforeSha,
  tag: run.pipeline.tag,
  yaml_errors: run.pipeline.yamlErrors ?? null,
  user: userEntity(url),
  started_at: isoTime(run.pipeline.startedAt),
  finished_at: isoTime(run.pipeline.finishedAt),
  committed_at: null,
  duration: wholeSeconds(secondsBetween(run.pipeline.startedAt, run.pipeline.finishedAt)),
  queued_duration: wholeSeconds(secondsBetween(run.pipeline.createdAt, run.pipeline.startedAt)),
  coverage: null,
  detailed_status: detailedStatus(run),
  archived: false,
});

const wholeSeconds = (seconds: number | null): number | null => (seconds === null ? null : Math.round(seconds));

/** The status in the words that people see: jobs that were allowed to fail show here only. */
export function detailedStatus(run: Run) {
  const { status } = run.pipeline;
  const warned = status === "success" && latestJobs(run).some((job) => job.status === "failed" && job.allowFailure);
  const text = warned ? "warning" : status === "success" ? "passed" : status;
  return {
    icon: `status_${warned ? "warning" : status}`,
    text,
    label: warned ? "passed with warnings" : text,
    group: warned ? "success-with-warnings" : status,
  };
}
