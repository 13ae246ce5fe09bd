import type { Connection } from "../model/connection.js";
import type { JobStatus } from "../model/job.js";
import type { ProtectedRefs } from "../model/protected-refs.js";

/** A job as a forge tells it. Times are milliseconds since the Unix epoch. */
export interface ForgeJob {
  readonly projectId: number;
  readonly jobId: number;
  readonly name: string;
  readonly stage: string;
  readonly pipelineId: number | undefined;
  readonly ref: string | undefined;
  readonly status: JobStatus;
  readonly tags: readonly string[];
  readonly protected: boolean | "unknown";
  /** Whether `ref` is a Git tag. */
  readonly refIsTag?: boolean | undefined;
  readonly allowFailure: boolean;
  readonly runnerId: number | undefined;
  readonly createdAt: number | undefined;
  readonly queuedAt: number | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** Where people see it, when the forge tells. */
  readonly url?: string | undefined;
}

/** A job that is to be retried. */
export type RetriedJob = Pick<ForgeJob, "projectId" | "jobId" | "name"> & { readonly pipelineId: number };

/** What to make a runner from. */
export interface RunnerRequest {
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly maxJobTimeoutS: number;
  /** Takes jobs of protected refs only. */
  readonly protectedOnly?: boolean;
  /** Gets no job until it is unpaused. */
  readonly paused?: boolean;
}

/** A runner that was made; its token is shown this once. */
export interface MadeRunner {
  readonly runnerId: number;
  readonly token: string;
}

/** A runner as a forge lists it. */
export interface ForgeRunner {
  readonly runnerId: number;
  readonly description: string;
  readonly paused: boolean;
}

/**
 * What came of a paused runner's asking for a job. `heard`: the forge knows now that it is there, and gave nothing.
 * `absent`: the forge does not know its token. `given`: it got a job although it was paused, which was failed at once;
 * `ended` tells whether the forge has taken that.
 */
export type RunnerHeard =
  | { readonly state: "heard" }
  | { readonly state: "absent" }
  | { readonly state: "given"; readonly jobId: number; readonly ended: boolean };

/** The active jobs of a connection's projects, and which projects were read to their end. */
export interface ActiveJobs {
  readonly jobs: readonly ForgeJob[];
  readonly projectIds: readonly number[];
  /** Projects that were asked for and not read, or not to their end, and why, in words that stay the same while it does. */
  readonly unread: readonly { readonly projectId: number; readonly why: string }[];
}

/** What a connection's credential may do, as far as the forge tells. */
export interface AccessCheck {
  /** Whether it is enough; `unknown` where the forge does not tell of this kind of token, and nothing is known to be missing. */
  readonly ok: boolean | "unknown";
  /** Each missing scope or role in words, with the calls that need it. */
  readonly missing: readonly string[];
  /** When the token expires, in milliseconds since the Unix epoch. */
  readonly expiresAt?: number;
}

/**
 * How the webhook stands: as it was, made, changed to what is wanted, or enabled again by a test; `muted` when the forge
 * goes on not calling it, `not-allowed` when it is not the credential's to make. The message of both tells what to do.
 */
export type WebhookState =
  | { readonly state: "kept" | "made" | "changed" | "re-enabled" }
  | { readonly state: "muted" | "not-allowed"; readonly message: string };

/**
 * A CI system. Every call has its own deadline and throws a `FireRunnerError` (`FR-FORGE-…`); expected absence is a
 * value. Nothing that makes something is repeated without being asked.
 */
export interface ForgePort {
  readJob(connection: Connection, projectId: number, jobId: number): Promise<ForgeJob | undefined>;
  /** Jobs that wait or run: of one project, or of every project of the connection's scope. */
  activeJobs(connection: Connection, projectId?: number): Promise<ActiveJobs>;
  /** The project's protected branches and tags. Refused (`FR-FORGE-UNAUTHORIZED`) where the credential may not read them. */
  protectedRefs(connection: Connection, projectId: number): Promise<ProtectedRefs>;
  /** The job's log as text, its end if it is very long; undefined when the forge does not know the job. */
  jobLog(connection: Connection, projectId: number, jobId: number): Promise<string | undefined>;
  /**
   * Asks that a job be cancelled and gives it as it is then; one that is over stays as it is. `force` ends a job that is
   * being cancelled and whose runner does not answer. Undefined when the forge does not know the job.
   */
  cancelJob(connection: Connection, projectId: number, jobId: number, force: boolean): Promise<ForgeJob | undefined>;
  /**
   * Retries a job that is over, and gives the new one. It looks for a newer job of the same name in the pipeline first, and
   * gives that one instead: asked twice it makes one. Undefined when the forge does not know the job.
   */
  retryJob(connection: Connection, job: RetriedJob): Promise<ForgeJob | undefined>;
  makeRunner(connection: Connection, request: RunnerRequest): Promise<MadeRunner>;
  /** Runners of the connection's scope whose description begins with `prefix`. */
  findRunners(connection: Connection, prefix: string): Promise<readonly ForgeRunner[]>;
  /** Resolves with `absent` when the forge does not know the runner. */
  pauseRunner(connection: Connection, runnerId: number): Promise<"paused" | "absent">;
  /** Lets a paused runner take jobs. */
  unpauseRunner(connection: Connection, runnerId: number): Promise<"unpaused" | "absent">;
  /** The runner as it is now, or undefined when the forge surely does not have it. */
  readRunner(connection: Connection, runnerId: number): Promise<ForgeRunner | undefined>;
  /** Asks for a job with a runner's own token. Only for runners that are paused: a job that it gets is failed. */
  showRunner(connection: Connection, runnerToken: string): Promise<RunnerHeard>;
  /** The jobs that the runner runs right now; an unknown runner runs none. */
  runningJobs(connection: Connection, runnerId: number): Promise<readonly ForgeJob[]>;
  deleteRunner(connection: Connection, runnerId: number): Promise<"deleted" | "absent">;
  /**
   * Compares what the credential may do with what the service needs; `endsJobs` when jobs are to be cancelled and retried,
   * which may need more. A token that is refused altogether throws.
   */
  checkAccess(connection: Connection, endsJobs: boolean): Promise<AccessCheck>;
  /** Makes sure that the forge calls `url` with the connection's webhook secrets. Found by its URL, so that none is made twice. */
  ensureWebhook(connection: Connection, url: string): Promise<WebhookState>;
  stop(): Promise<void>;
}
