import { titleOf } from "../entities/commit-entity.js";
import { durationOf, queuedDurationOf, type ShownJob } from "../entities/job-entity.js";
import { hookProject, hookRepository } from "../entities/project-entity.js";
import { hookRunner } from "../entities/runner-entity.js";
import { hookTime, isoTime, secondsBetween } from "../entities/times.js";
import { hookUser } from "../entities/user.js";
import { displayNameOf } from "../records/project.js";
import { administrator } from "../records/user.js";

/** The body of a Job Hook. It names no tags of the job, and `commit.id` is the pipeline's id. */
export function jobPayload({ job, run, project, runner, url, now }: ShownJob) {
  const { pipeline } = run;
  return {
    object_kind: "build",
    ref: pipeline.ref,
    tag: pipeline.tag,
    before_sha: pipeline.beforeSha,
    sha: pipeline.commit.sha,
    retries_count: job.attempt,
    build_id: job.id,
    build_name: job.definition.name,
    build_stage: job.definition.stage,
    build_status: job.status,
    build_created_at: hookTime(job.createdAt),
    build_started_at: hookTime(job.startedAt),
    build_finished_at: hookTime(job.finishedAt),
    build_created_at_iso: isoTime(job.createdAt),
    build_started_at_iso: isoTime(job.startedAt),
    build_finished_at_iso: isoTime(job.finishedAt),
    build_duration: durationOf(job, now),
    build_queued_duration: queuedDurationOf(job, now),
    build_allow_failure: job.allowFailure,
    build_failure_reason: job.failureReason ?? "unknown_failure",
    pipeline_id: pipeline.id,
    runner: runner === undefined ? null : hookRunner(runner),
    project_id: project.id,
    project_name: displayNameOf(project),
    user: hookUser(),
    commit: {
      id: pipeline.id,
      name: null,
      sha: pipeline.commit.sha,
      message: pipeline.commit.message,
      author_name: pipeline.commit.authorName,
      author_email: pipeline.commit.authorEmail,
      author_url: `${url}/${administrator.username}`,
      status: pipeline.status,
      duration: secondsBetween(pipeline.startedAt, pipeline.finishedAt),
      started_at: hookTime(pipeline.startedAt),
      finished_at: hookTime(pipeline.finishedAt),
      started_at_iso: isoTime(pipeline.startedAt),
      finished_at_iso: isoTime(pipeline.finishedAt),
    },
    repository: hookRepository(project, url),
    project: hookProject(project, url),
    environment: null,
  };
}

/** The commit as Pipeline Hooks tell it. */
export const hookCommit = ({ run, url, project }: Pick<ShownJob, "run" | "url" | "project">) => {
  const { commit } = run.pipeline;
  return {
    id: commit.sha,
    message: commit.message,
    title: titleOf(commit),
    timestamp: commit.committedAt,
    url: `${hookProject(project, url).web_url}/-/commit/${commit.sha}`,
    author: { name: commit.authorName, email: commit.authorEmail },
  };
};
