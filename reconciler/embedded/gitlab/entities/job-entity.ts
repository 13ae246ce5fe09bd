import { isFinished, type Job, type Run } from "../engine/run.js";
import type { Project } from "../records/project.js";
import type { Runner } from "../records/runner.js";
import { commitEntity } from "./commit-entity.js";
import { pipelineEntity } from "./pipeline-entity.js";
import { projectIdentity, projectUrl } from "./project-entity.js";
import { managerEntity, runnerEntity } from "./runner-entity.js";
import { isoTime, secondsBetween } from "./times.js";
import { userEntity } from "./user.js";

/** A job with what is shown beside it. `runner` is undefined before it was handed out, and when the runner is gone. */
export interface ShownJob {
  readonly job: Job;
  readonly run: Run;
  readonly project: Project;
  readonly runner: Runner | undefined;
  readonly url: string;
  readonly now: number;
}

/** How long the job has run or ran, in seconds, or null before it started. */
export const durationOf = (job: Job, now: number): number | null =>
  secondsBetween(job.startedAt, job.finishedAt ?? (isFinished(job.status) ? undefined : now));

/** How long the job has waited or waited for a runner, in seconds, or null while it waits for other jobs. */
export function queuedDurationOf(job: Job, now: number): number | null {
  return secondsBetween(job.queuedAt, job.startedAt ?? (isFinished(job.status) ? job.finishedAt : now));
}

/** What every list of jobs tells of one. */
const basicJobEntity = ({ job, run, project, url, now }: Omit<ShownJob, "runner">) => ({
  id: job.id,
  status: job.status,
  stage: job.definition.stage,
  name: job.definition.name,
  ref: run.pipeline.ref,
  tag: run.pipeline.tag,
  coverage: null,
  allow_failure: job.allowFailure,
  created_at: isoTime(job.createdAt),
  started_at: isoTime(job.startedAt),
  finished_at: isoTime(job.finishedAt),
  erased_at: null,
  duration: durationOf(job, now),
  queued_duration: queuedDurationOf(job, now),
  user: userEntity(url),
  commit: commitEntity(run.pipeline.commit, project, url),
  pipeline: pipelineEntity(run, project, url),
  ...(job.status === "failed" && job.failureReason !== undefined ? { failure_reason: job.failureReason } : {}),
  web_url: `${projectUrl(project, url)}/-/jobs/${job.id}`,
  project: { ci_job_token_scope_enabled: false },
});

/** A job in the list of a runner's jobs: with its project, without its tags and without the runner. */
export const runnerJobEntity = (shown: Omit<ShownJob, "runner">) => ({ ...basicJobEntity(shown), project: projectIdentity(shown.project) });

/** A job as REST shows it. */
export function jobEntity(shown: ShownJob) {
  const { job, runner, now, url } = shown;
  const manager = runner?.managers.find((candidate) => candidate.systemId === job.assignment?.systemId);
  return {
    ...basicJobEntity(shown),
    artifacts: [],
    runner: runner === undefined ? null : runnerEntity(runner, now, url),
    runner_manager: manager === undefined ? null : managerEntity(manager, now),
    artifacts_expire_at: null,
    archived: false,
    tag_list: [...job.definition.tags].sort(),
  };
}
