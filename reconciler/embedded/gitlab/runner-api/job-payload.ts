import { runnerFailureReasons } from "../engine/failure-reasons.js";
import type { ShownJob } from "../entities/job-entity.js";
import { secondsBetween } from "../entities/times.js";
import { type ProjectVariable, pathOf } from "../records/project.js";
import { cloneUrl, jobVariables } from "./job-variables.js";

/** A job as it is handed to a runner. */
export function handedJob(shown: ShownJob, settings: readonly ProjectVariable[], version: string) {
  const { job, run, project } = shown;
  const { pipeline } = run;
  return {
    id: job.id,
    token: job.token,
    allow_git_fetch: true,
    job_info: {
      id: job.id,
      name: job.definition.name,
      stage: job.definition.stage,
      project_id: project.id,
      project_name: project.name,
      project_full_path: pathOf(project),
      namespace_id: project.namespace.id,
      pipeline_id: pipeline.id,
      time_in_queue_seconds: Math.round(secondsBetween(job.queuedAt, job.startedAt) ?? 0),
      // A text, unlike every other count here: so runners expect it.
      project_jobs_running_on_instance_runners_count: "0",
    },
    git_info: {
      repo_url: cloneUrl(shown),
      ref: pipeline.ref,
      sha: pipeline.commit.sha,
      before_sha: pipeline.beforeSha,
      ref_type: pipeline.tag ? "tag" : "branch",
      refspecs: [
        pipeline.tag
          ? `+refs/tags/${pipeline.ref}:refs/tags/${pipeline.ref}`
          : `+refs/heads/${pipeline.ref}:refs/remotes/origin/${pipeline.ref}`,
      ],
      depth: 20,
      repo_object_format: "sha1",
      protected: pipeline.protected,
    },
    runner_info: { timeout: job.timeoutS, runner_session_url: null },
    inputs: [],
    variables: jobVariables(shown, settings, version),
    steps: steps(shown),
    image: null,
    services: [],
    artifacts: null,
    cache: [],
    credentials: [],
    dependencies: [],
    features: { trace_sections: true, failure_reasons: runnerFailureReasons, token_mask_prefixes: [] },
  };
}

function steps({ job }: ShownJob) {
  const { beforeScript, script, afterScript } = job.definition;
  const step = { timeout: job.timeoutS };
  return [
    { ...step, name: "script", script: [...beforeScript, ...script], when: "on_success", allow_failure: false },
    ...(afterScript.length === 0 ? [] : [{ ...step, name: "after_script", script: afterScript, when: "always", allow_failure: true }]),
  ];
}
