/** What a `.gitlab-ci.yml` asks for, with defaults, anchors and `extends` worked in. */
export interface PipelineDefinition {
  /** In the order of running; `.pre` comes first and `.post` last whether or not a job uses them. */
  readonly stages: readonly string[];
  /** In the order of the file; at least one. */
  readonly jobs: readonly JobDefinition[];
}

/** One visible job. */
export interface JobDefinition {
  readonly name: string;
  /** One of the pipeline's stages. */
  readonly stage: string;
  /** Jobs of this or an earlier stage that come first; undefined means every job of all earlier stages. */
  readonly needs: readonly JobNeed[] | undefined;
  readonly beforeScript: readonly string[];
  /** At least one command; a command may have several lines. */
  readonly script: readonly string[];
  readonly afterScript: readonly string[];
  /** The pipeline's variables and the job's own, each key once; the job's value wins. */
  readonly variables: readonly CiVariable[];
  readonly tags: readonly string[];
  readonly when: JobWhen;
  /** Whether a failure lets the pipeline go on: always, never, or for these exit codes of the script. */
  readonly allowFailure: boolean | { readonly exitCodes: readonly number[] };
  readonly retry: JobRetry;
  /** Seconds; undefined means the project's own timeout. */
  readonly timeoutS: number | undefined;
  /** How long a delayed job waits before it starts by itself, in seconds; undefined for all others. */
  readonly startInS: number | undefined;
  /** Of the project's jobs that name the same group one runs at a time. */
  readonly resourceGroup: string | undefined;
}

/** A job that must have ended first. An optional need of a job that the file does not have is left out. */
export interface JobNeed {
  readonly job: string;
  readonly optional: boolean;
}

export interface CiVariable {
  readonly key: string;
  readonly value: string;
}

/** When a job runs: after success, after a failure, whatever happened, when somebody says so, or some time after success. */
export type JobWhen = "on_success" | "on_failure" | "always" | "manual" | "delayed";

/** How often a failed job runs again, and for which of GitLab's failure reasons; `always` stands for each of them. */
export interface JobRetry {
  readonly max: 0 | 1 | 2;
  readonly when: readonly string[];
}
