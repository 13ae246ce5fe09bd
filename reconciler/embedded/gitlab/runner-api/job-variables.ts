import { titleOf } from "../entities/commit-entity.js";
import type { ShownJob } from "../entities/job-entity.js";
import { projectUrl } from "../entities/project-entity.js";
import { isoTime } from "../entities/times.js";
import { type ProjectVariable, pathOf } from "../records/project.js";
import { administrator } from "../records/user.js";

/** A variable as runners are given it. */
export interface JobVariable {
  readonly key: string;
  readonly value: string;
  readonly public: boolean;
  readonly file: boolean;
  readonly masked: boolean;
  readonly raw: boolean;
}

/** As it stands in a host name: lower-case letters, digits and `-`. */
const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");

/** The address to clone from, with the job's own credential in it. */
export function cloneUrl({ job, project, url }: ShownJob): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//gitlab-ci-token:${job.token}@${host}/${pathOf(project)}.git`;
}

/**
 * What a job finds in its environment; of each key the last value, in GitLab's order: what GitLab says itself, the
 * file, the project's settings (protected ones only for protected refs), the pipeline's own.
 */
export function jobVariables(shown: ShownJob, settings: readonly ProjectVariable[], version: string): readonly JobVariable[] {
  const { run, job } = shown;
  const all = [
    ...predefined(shown, version),
    ...job.definition.variables.map(({ key, value }) => visible(key, value)),
    ...settings
      .filter((variable) => !variable.protected || run.pipeline.protected)
      .map(({ key, value, file, masked, raw }) => ({ key, value, public: false, file, masked, raw })),
    ...run.pipeline.variables.map(({ key, value }) => ({ ...visible(key, value), public: false })),
  ];
  return [...new Map(all.map((variable) => [variable.key, variable])).values()];
}

const visible = (key: string, value: string): JobVariable => ({ key, value, public: true, file: false, masked: false, raw: false });

function predefined(shown: ShownJob, version: string): readonly JobVariable[] {
  const { job, url } = shown;
  const { hostname, port, protocol } = new URL(url);
  const [major = "", minor = "", patch = ""] = version.split(".");
  const values: Readonly<Record<string, string>> = {
    CI: "true",
    GITLAB_CI: "true",
    CI_SERVER: "yes",
    CI_SERVER_NAME: "GitLab",
    CI_SERVER_URL: url,
    CI_SERVER_HOST: hostname,
    CI_SERVER_PORT: port || (protocol === "https:" ? "443" : "80"),
    CI_SERVER_PROTOCOL: protocol.replace(":", ""),
    CI_SERVER_VERSION: version,
    CI_SERVER_VERSION_MAJOR: major,
    CI_SERVER_VERSION_MINOR: minor,
    CI_SERVER_VERSION_PATCH: patch,
    CI_API_V4_URL: `${url}/api/v4`,
    CI_JOB_ID: String(job.id),
    CI_JOB_NAME: job.definition.name,
    CI_JOB_NAME_SLUG: slug(job.definition.name),
    CI_JOB_STAGE: job.definition.stage,
    CI_JOB_URL: `${projectUrl(shown.project, url)}/-/jobs/${job.id}`,
    CI_JOB_STARTED_AT: isoTime(job.startedAt) ?? "",
    CI_JOB_TIMEOUT: String(job.timeoutS),
    CI_NODE_TOTAL: "1",
    ...(job.definition.when === "manual" ? { CI_JOB_MANUAL: "true" } : {}),
    ...ofPipeline(shown),
    ...ofProject(shown),
    ...ofRunner(shown),
    GITLAB_USER_ID: String(administrator.id),
    GITLAB_USER_LOGIN: administrator.username,
    GITLAB_USER_NAME: administrator.name,
    GITLAB_USER_EMAIL: administrator.email,
  };
  const secret = (key: string, value: string): JobVariable => ({ key, value, public: false, file: false, masked: true, raw: false });
  return [
    ...Object.entries(values).map(([key, value]) => visible(key, value)),
    secret("CI_JOB_TOKEN", job.token),
    { ...secret("CI_REPOSITORY_URL", cloneUrl(shown)), masked: false },
  ];
}

function ofPipeline({ run, project, url }: ShownJob): Readonly<Record<string, string>> {
  const { pipeline } = run;
  const { commit, ref } = pipeline;
  return {
    CI_PIPELINE_ID: String(pipeline.id),
    CI_PIPELINE_IID: String(pipeline.iid),
    CI_PIPELINE_SOURCE: pipeline.source,
    CI_PIPELINE_CREATED_AT: isoTime(pipeline.createdAt) ?? "",
    CI_PIPELINE_URL: `${projectUrl(project, url)}/-/pipelines/${pipeline.id}`,
    CI_COMMIT_SHA: commit.sha,
    CI_COMMIT_SHORT_SHA: commit.sha.slice(0, 8),
    CI_COMMIT_BEFORE_SHA: pipeline.beforeSha,
    CI_COMMIT_REF_NAME: ref,
    CI_COMMIT_REF_SLUG: slug(ref),
    CI_COMMIT_REF_PROTECTED: String(pipeline.protected),
    ...(pipeline.tag ? { CI_COMMIT_TAG: ref } : { CI_COMMIT_BRANCH: ref }),
    CI_COMMIT_MESSAGE: commit.message,
    CI_COMMIT_TITLE: titleOf(commit),
    CI_COMMIT_DESCRIPTION: commit.message.split("\n").slice(1).join("\n").trim(),
    CI_COMMIT_AUTHOR: `${commit.authorName} <${commit.authorEmail}>`,
    CI_COMMIT_TIMESTAMP: commit.committedAt,
  };
}

function ofProject({ project, url }: ShownJob): Readonly<Record<string, string>> {
  const { namespace } = project;
  return {
    CI_PROJECT_ID: String(project.id),
    CI_PROJECT_NAME: project.path,
    CI_PROJECT_TITLE: project.name,
    CI_PROJECT_DESCRIPTION: project.description,
    CI_PROJECT_PATH: pathOf(project),
    CI_PROJECT_PATH_SLUG: slug(pathOf(project)),
    CI_PROJECT_NAMESPACE: namespace.fullPath,
    CI_PROJECT_NAMESPACE_ID: String(namespace.id),
    CI_PROJECT_ROOT_NAMESPACE: namespace.fullPath.split("/")[0] ?? "",
    CI_PROJECT_URL: projectUrl(project, url),
    CI_PROJECT_VISIBILITY: project.visibility,
    CI_DEFAULT_BRANCH: project.defaultBranch ?? "",
    CI_CONFIG_PATH: ".gitlab-ci.yml",
  };
}

function ofRunner({ runner }: ShownJob): Readonly<Record<string, string>> {
  if (runner === undefined) return {};
  return {
    CI_RUNNER_ID: String(runner.id),
    CI_RUNNER_DESCRIPTION: runner.description,
    CI_RUNNER_TAGS: JSON.stringify(runner.tags),
  };
}
