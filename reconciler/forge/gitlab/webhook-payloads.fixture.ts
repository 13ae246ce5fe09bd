/** Webhook bodies as GitLab's versions send them; people, projects and hosts are invented. */

const user = { id: 12, name: "Mira Okafor", username: "mira", avatar_url: null, email: "[REDACTED]" };

const repository = {
  name: "wharf",
  url: "ssh://git@gitlab.example.com/harbour/wharf.git",
  description: null,
  homepage: "https://gitlab.example.com/harbour/wharf",
  git_http_url: "https://gitlab.example.com/harbour/wharf.git",
  git_ssh_url: "ssh://git@gitlab.example.com/harbour/wharf.git",
  visibility_level: 0,
};

/** `commit.id` is a pipeline's number, and dates are Rails' own. */
const commit = {
  id: 9001,
  name: null,
  sha: "4c1f0b6a2d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a",
  message: 'Say "quay" where the quay is meant\n\nünïcödé, too',
  author_name: "Mira Okafor",
  author_email: "mira@example.com",
  author_url: "https://gitlab.example.com/mira",
  status: "pending",
  duration: null,
  started_at: null,
  finished_at: null,
};

const common = {
  object_kind: "build",
  ref: "main",
  tag: false,
  before_sha: "0000000000000000000000000000000000000000",
  sha: commit.sha,
  build_id: 41_977,
  build_name: "unit: [20]",
  build_stage: "test",
  build_status: "pending",
  build_created_at: "2026-02-03 04:05:06 UTC",
  build_started_at: null,
  build_finished_at: null,
  build_duration: null,
  build_queued_duration: 0.412_345,
  build_allow_failure: false,
  build_failure_reason: "unknown_failure",
  pipeline_id: 9001,
  runner: null,
  project_id: 380,
  project_name: "Harbour / Wharf",
  user,
  commit,
  repository,
};

/** Before 15.6: neither `retries_count` nor `project`. */
export const jobHook15 = { ...common, environment: null };

/** A deployment job of 16.x: its environment is an object. */
export const jobHook16 = {
  ...common,
  retries_count: 0,
  build_created_at: "2026-02-03T04:05:06.123Z",
  environment: { name: "production", action: "start", deployment_tier: "production" },
};

/** 17.x, of some paths: the environment is only its name. */
export const jobHook17 = { ...common, retries_count: 2, environment: "review/quay" };

/** 18.x: ISO dates beside the old ones, and the project as an object; the job runs on a runner, whose tags are told. */
export const jobHook18 = {
  ...common,
  retries_count: 0,
  build_status: "running",
  build_created_at_iso: "2026-02-03T04:05:06Z",
  build_started_at: "2026-02-03 04:05:09 UTC",
  build_started_at_iso: "2026-02-03T04:05:09Z",
  build_finished_at_iso: null,
  build_duration: 0.9,
  environment: null,
  runner: {
    id: 77,
    description: "firerunner/acme/small/vm-abcdefghijaa",
    runner_type: "project_type",
    active: true,
    is_shared: false,
    tags: ["linux", "small"],
  },
  project: {
    id: 380,
    name: "Wharf",
    description: "",
    web_url: "https://gitlab.example.com/harbour/wharf",
    avatar_url: null,
    git_ssh_url: repository.git_ssh_url,
    git_http_url: repository.git_http_url,
    namespace: "Harbour",
    visibility_level: 0,
    path_with_namespace: "harbour/wharf",
    default_branch: "main",
    ci_config_path: null,
  },
  source_pipeline: {
    project: { id: 381, web_url: "https://gitlab.example.com/harbour/pier", path_with_namespace: "harbour/pier" },
    pipeline_id: 8999,
    job_id: 41_900,
  },
};

export const pipelineHook = {
  object_kind: "pipeline",
  object_attributes: {
    id: 9001,
    iid: 17,
    name: null,
    ref: "main",
    tag: false,
    sha: commit.sha,
    before_sha: common.before_sha,
    source: "push",
    status: "pending",
    detailed_status: "pending",
    stages: ["build", "test"],
    created_at: "2026-02-03 04:05:06 UTC",
    finished_at: null,
    duration: null,
    queued_duration: null,
    protected_ref: true,
    variables: [],
    url: "https://gitlab.example.com/harbour/wharf/-/pipelines/9001",
  },
  merge_request: null,
  user,
  project: jobHook18.project,
  commit: { id: commit.sha, message: commit.message, timestamp: "2026-02-03T04:00:00Z" },
  builds: [{ id: 41_977, stage: "test", name: "unit", status: "pending", runner: null, environment: null, manual: false }],
};

export const pushHook = { object_kind: "push", event_name: "push", ref: "refs/heads/main", project_id: 380, commits: [] };
export const systemHook = { event_name: "project_create", created_at: "2026-02-03T04:05:06Z", project_id: 380, name: "Wharf" };
