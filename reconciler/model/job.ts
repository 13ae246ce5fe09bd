import { z } from "zod";
import { nameSchema, tagSchema, timestampSchema } from "./fields.js";
import { vmLossSchema } from "./vm-loss.js";

/** GitLab's job statuses; unknown ones of later versions are read as `other`. */
export const jobStatuses = [
  "created",
  "waiting_for_resource",
  "preparing",
  "pending",
  "running",
  "canceling",
  "success",
  "failed",
  "canceled",
  "skipped",
  "manual",
  "scheduled",
  "other",
] as const;
export const jobStatusSchema = z.enum(jobStatuses);
export type JobStatus = z.output<typeof jobStatusSchema>;

const finished: ReadonlySet<JobStatus> = new Set(["success", "failed", "canceled", "skipped"]);

/** Whether the forge will never run the job again under this id. */
export const isFinished = (status: JobStatus): boolean => finished.has(status);

/** Whether a runner is at work on the job. */
export const isRunning = (status: JobStatus): boolean => status === "running" || status === "canceling";

/** Why a pending job does not run yet, in words for people, with a documented code. */
const waitingReasonSchema = z.strictObject({ code: z.string().regex(/^FR-/), message: z.string() });
export type WaitingReason = z.output<typeof waitingReasonSchema>;

/** A CI job as the forge tells it, and what was decided about it. */
export const jobSchema = z.strictObject({
  connection: nameSchema,
  projectId: z.int().positive(),
  jobId: z.int().positive(),
  /** The address of the forge that told it: the numbers are that one's. */
  forge: z.string().optional(),
  name: z.string(),
  stage: z.string(),
  pipelineId: z.int().positive().optional(),
  ref: z.string().optional(),
  status: jobStatusSchema,
  tags: z.array(tagSchema),
  /** Whether its ref is protected, when the forge says so itself. */
  protected: z.union([z.boolean(), z.literal("unknown")]),
  /** Whether `ref` is a Git tag; a branch or the like when left out. */
  refIsTag: z.boolean().optional(),
  allowFailure: z.boolean(),
  runnerId: z.int().positive().optional(),
  createdAt: timestampSchema.optional(),
  queuedAt: timestampSchema,
  startedAt: timestampSchema.optional(),
  finishedAt: timestampSchema.optional(),
  /** When the forge was read for this record. */
  readAt: timestampSchema,
  /** The pool and size that its tags map to. */
  pool: nameSchema.optional(),
  size: tagSchema.optional(),
  /** The microVM that ran it, learned from the forge. */
  vm: z.string().optional(),
  host: z.string().optional(),
  /** Queue to microVM: when the microVM that ran it was decided on. */
  vmAt: timestampSchema.optional(),
  waitingReason: waitingReasonSchema.optional(),
  /** That its microVM was lost while it ran, and what was done about it. */
  vmLoss: vmLossSchema.optional(),
  /** Joins the log lines, events and spans of this job: 32 hex digits, as W3C Trace Context writes them. */
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
});
export type Job = z.output<typeof jobSchema>;

/** The key of a job's record. */
export const jobKey = (job: Pick<Job, "connection" | "projectId" | "jobId">): string => `${job.connection}/${job.projectId}/${job.jobId}`;
