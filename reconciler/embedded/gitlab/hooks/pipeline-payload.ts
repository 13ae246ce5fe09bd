import { type Job, latestJobs, type Run } from "../engine/run.js";
import { durationOf, queuedDurationOf } from "../entities/job-entity.js";
import { detailedStatus } from "../entities/pipeline-entity.js";
import { hookProject, projectUrl } from "../entities/project-entity.js";
import { hookRunner } from "../entities/runner-entity.js";
import { hookTime, secondsBetween } from "../entities/times.js";
import { hookUser } from "../entities/user.js";
import type { Project } from "../records/project.js";
import type { Runner } from "../records/runner.js";
import { hookCommit } from "./job-payload.js";

export interface ShownPipeline {
  readonly run: Run;
  readonly project: Project;
  readonly runnerOf: (job: Job) => Runner | undefined;
  readonly url: string;
  readonly now: number;
}

/** The body of a Pipeline Hook. Its builds name no tags of the jobs either. */
export function pipelinePayload({ run, project, runnerOf, url, now }: ShownPipeline) {
  const { pipeline } = run;
  return {
    object_kind: "pipeline",
    object_attributes: {
      id: pipeline.id,
      iid: pipeline.iid,
      name: null,
      ref: pipeline.ref,
      tag: pipeline.tag,
      sha: pipeline.commit.sha,
      before_sha: pipeline.beforeSha,
      source: pipeline.source,
      status: pipeline.status,
      detailed_status: detailedStatus(run).label,
      stages: [...new Set(run.jobs.map((job) => job.definition.stage))],
      created_at: hookTime(pipeline.createdAt),
      finished_at: hookTime(pipeline.finishedAt),
      duration: secondsBetween(pipeline.startedAt, pipeline.finishedAt),
      queued_duration: secondsBetween(pipeline.createdAt, pipeline.startedAt),
      protected_ref: pipeline.protected,
      variables: pipeline.variables,
      url: `${projectUrl(project, url)}/-/pipelines/${pipeline.id}`,
    },
    merge_request: null,
    user: hookUser(),
    project: hookProject(project, url),
    commit: hookCommit({ run, url, project }),
    builds: latestJobs(run).map((job) => ({
      id: job.id,
      stage: job.definition.stage,
      name: job.definition.name,
      status: job.status,
      created_at: hookTime(job.createdAt),
      started_at: hookTime(job.startedAt),
      finished_at: hookTime(job.finishedAt),
      duration: durationOf(job, now),
      queued_duration: queuedDurationOf(job, now),
      failure_reason: job.failureReason ?? null,
      when: job.definition.when,
      manual: job.definition.when === "manual",
      allow_failure: job.allowFailure,
      user: hookUser(),
      runner: hookRunnerOf(runnerOf(job)),
      artifacts_file: { filename: null, size: null },
      environment: null,
    })),
  };
}

const hookRunnerOf = (runner: Runner | undefined) => (runner === undefined ? null : hookRunner(runner));
