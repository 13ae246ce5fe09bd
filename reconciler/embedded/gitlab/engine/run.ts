import type { JobDefinition } from "../ci-file/definition.js";
import type { FailureReason } from "./failure-reasons.js";

/** What a job of this GitLab can be in. */
export type JobStatus =
  | "created"
  | "manual"
  | "scheduled"
  | "waiting_for_resource"
  | "pending"
  | "running"
  | "canceling"
  | "success"
  | "failed"
  | "canceled"
  | "skipped";

/** What a pipeline can be in: the sum of its jobs. */
export type PipelineStatus = JobStatus;

/** Whom a job was handed to. */
export interface Assignment {
  readonly runnerId: number;
  readonly systemId: string;
  /** Whether the runner said that it ends a cancelled job by itself (its `cancel_gracefully`). */
  readonly gracefulCancel: boolean;
}

/** A job. Times are milliseconds since the Unix epoch. */
export interface Job {
  readonly id: number;
  readonly definition: JobDefinition;
  readonly status: JobStatus;
  /** With exit codes in the definition it is decided when the job fails. */
  readonly allowFailure: boolean;
  /** Waits for nobody's say-so and for no earlier job: it was played, or it is the repetition of a job. */
  readonly released: boolean;
  /** How many jobs of this name ran before it in its pipeline. */
  readonly attempt: number;
  /** Another job has taken its place. */
  readonly retried: boolean;
  /** What its runner authenticates with; good while the job runs. */
  readonly token: string;
  /** How long it may run, in seconds. */
  readonly timeoutS: number;
  readonly createdAt: number;
  /** When a delayed job is to start by itself. */
  readonly scheduledAt: number | undefined;
  readonly queuedAt: number | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** When its runner was heard last. */
  readonly heardAt: number | undefined;
  readonly failureReason: FailureReason | undefined;
  readonly exitCode: number | undefined;
  readonly assignment: Assignment | undefined;
}

/** The commit that a pipeline was made for. */
export interface Commit {
  readonly sha: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly authoredAt: string;
  readonly committerName: string;
  readonly committerEmail: string;
  readonly committedAt: string;
}

export interface PipelineVariable {
  readonly key: string;
  readonly value: string;
}

/** A pipeline. Times are milliseconds since the Unix epoch. */
export interface Pipeline {
  readonly id: number;
  /** Counted within the project. */
  readonly iid: number;
  readonly projectId: number;
  readonly ref: string;
  readonly commit: Commit;
  /** What the ref pointed to before the push; zeros when it is new or nothing was pushed. */
  readonly beforeSha: string;
  readonly source: "push" | "api";
  /** Whether its ref is a Git tag. */
  readonly tag: boolean;
  /** Whether its ref is a protected one. */
  readonly protected: boolean;
  readonly variables: readonly PipelineVariable[];
  readonly stages: readonly string[];
  readonly status: PipelineStatus;
  /** Why no job could be made of the file; then the pipeline has failed and has no jobs. */
  readonly yamlErrors: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
}

/** A pipeline with all its jobs, retried ones included, in the order of their ids. Never changed, only replaced. */
export interface Run {
  readonly pipeline: Pipeline;
  readonly jobs: readonly Job[];
}

const finished: ReadonlySet<JobStatus> = new Set(["success", "failed", "canceled", "skipped"]);

/** Whether the job has ended for good under its id. */
export const isFinished = (status: JobStatus): boolean => finished.has(status);

/** Whether a runner is at work on the job. */
export const isRunning = (status: JobStatus): boolean => status === "running" || status === "canceling";

/** The jobs that count: those that no other has replaced. */
export const latestJobs = (run: Run): readonly Job[] => run.jobs.filter((job) => !job.retried);

/** The run with one of its jobs replaced. */
export function withJob(run: Run, job: Job): Run {
  return { ...run, jobs: run.jobs.map((other) => (other.id === job.id ? job : other)) };
}
