import type { Connection } from "../model/connection.js";
import type { JobStatus } from "../model/job.js";

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
  readonly protected: boolean;
  readonly allowFailure: boolean;
  readonly runnerId: number | undefined;
  readonly createdAt: number | undefined;
  readonly queuedAt: number | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
}

/** What to make a runner from. */
export interface RunnerRequest {
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly maxJobTimeoutS: number;
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

/** The active jobs of a connection's projects, and which projects were read to their end. */
export interface ActiveJobs {
  readonly jobs: readonly ForgeJob[];
  readonly projectIds: readonly number[];
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
  /** The job's log as text, its end if it is very long; undefined when the forge does not know the job. */
  jobLog(connection: Connection, projectId: number, jobId: number): Promise<string | undefined>;
  makeRunner(connection: Connection, request: RunnerRequest): Promise<MadeRunner>;
  /** Runners of the connection's scope whose description begins with `prefix`. */
  findRunners(connection: Connection, prefix: string): Promise<readonly ForgeRunner[]>;
  /** Resolves with `absent` when the forge does not know the runner. */
  pauseRunner(connection: Connection, runnerId: number): Promise<"paused" | "absent">;
  /** The jobs that the runner runs right now; an unknown runner runs none. */
  runningJobs(connection: Connection, runnerId: number): Promise<readonly ForgeJob[]>;
  deleteRunner(connection: Connection, runnerId: number): Promise<"deleted" | "absent">;
  /** Compares what the credential may do with what the service needs. A token that is refused altogether throws. */
  checkAccess(connection: Connection): Promise<AccessCheck>;
  /** Makes sure that the forge calls `url` with the connection's webhook secrets. Found by its URL, so that none is made twice. */
  ensureWebhook(connection: Connection, url: string): Promise<WebhookState>;
  stop(): Promise<void>;
}
