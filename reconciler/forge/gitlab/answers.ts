import { z } from "zod";
import { type JobStatus, jobStatusSchema } from "../../model/job.js";
import type { ForgeJob, ForgeRunner, MadeRunner } from "../port.js";
import { type Attempt, unreadableError } from "./failure.js";

const idSchema = z.int().positive();
/** What is ordinarily missing or null is accepted as such: being caught as wrong would cost as much as all the rest. */
const tolerated = <S extends z.ZodType>(schema: S) => schema.nullish().catch(undefined);
const optionalId = tolerated(idSchema);
const flag = tolerated(z.boolean());
const text = z.string().catch("");

/** A job as GitLab's REST API tells it; only its id, status and tags are needed, the rest may be missing or of other kinds. */
const jobSchema = z.object({
  id: idSchema,
  status: z.string(),
  tag_list: z.array(z.string()),
  name: text,
  stage: text,
  ref: tolerated(z.string()),
  tag: flag,
  protected: flag,
  allow_failure: flag,
  created_at: z.unknown().optional(),
  queued_at: z.unknown().optional(),
  started_at: z.unknown().optional(),
  finished_at: z.unknown().optional(),
  queued_duration: tolerated(z.number().nonnegative()),
  pipeline: tolerated(z.object({ id: optionalId })),
  runner: tolerated(z.object({ id: optionalId })),
  web_url: tolerated(z.string()),
});

/** A job in the list of a runner's jobs, which tells no tags. */
const runnerJobSchema = z.object({
  id: idSchema,
  status: z.string(),
  pipeline: tolerated(z.object({ project_id: optionalId })),
  project: tolerated(z.object({ id: optionalId })),
});

const runnerSchema = z.object({
  id: idSchema,
  description: text,
  paused: flag,
  active: flag,
});

const madeSchema = z.object({ id: idSchema, token: z.string().min(1) });
const projectSchema = z.object({ id: idSchema });

/** A status as the vocabulary knows it; those of later versions are `other`. */
export const statusOf = (status: string): JobStatus => jobStatusSchema.catch("other").parse(status);

/** Milliseconds since the epoch of `2026-01-02T03:04:05.678Z` or `2026-01-02 03:04:05 UTC`; undefined for anything else. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d/.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isFinite(at) && at >= 0 ? at : undefined;
}

/** A job of a project, read at `now`. */
export function jobOf(attempt: Attempt, value: unknown, projectId: number, now: number): ForgeJob {
  const parsed = jobSchema.safeParse(value);
  if (!parsed.success) throw unreadableError(attempt, "a job with its id, status and tags was expected");
  const job = parsed.data;
  const startedAt = timeOf(job.started_at);
  return {
    projectId,
    jobId: job.id,
    name: job.name,
    stage: job.stage,
    pipelineId: job.pipeline?.id ?? undefined,
    ref: job.ref ?? undefined,
    status: statusOf(job.status),
    tags: job.tag_list,
    // No release tells it of all jobs. Refs of merge requests are never protected.
    protected: job.protected ?? (job.ref?.startsWith("refs/merge-requests/") === true ? false : "unknown"),
    refIsTag: job.tag ?? undefined,
    allowFailure: job.allow_failure ?? false,
    runnerId: job.runner?.id ?? undefined,
    createdAt: timeOf(job.created_at),
    queuedAt: timeOf(job.queued_at) ?? queuedAt(job.queued_duration, startedAt ?? now),
    startedAt,
    finishedAt: timeOf(job.finished_at),
    url: job.web_url ?? undefined,
  };
}

/** What the list of a runner's jobs tells of one. */
export interface RunnerJob {
  readonly projectId: number;
  readonly jobId: number;
  readonly status: JobStatus;
}

export function runnerJobOf(attempt: Attempt, value: unknown): RunnerJob {
  const { data } = runnerJobSchema.safeParse(value);
  const projectId = data?.project?.id ?? data?.pipeline?.project_id;
  if (data === undefined || projectId === undefined || projectId === null)
    throw unreadableError(attempt, "a job with its id, status and project was expected");
  return { projectId, jobId: data.id, status: statusOf(data.status) };
}

/** GitLab tells how long a job was queued, up to its start or else up to now. */
function queuedAt(seconds: number | null | undefined, until: number): number | undefined {
  return seconds === undefined || seconds === null ? undefined : Math.max(0, Math.round(until - seconds * 1000));
}

export function runnerOf(attempt: Attempt, value: unknown): ForgeRunner {
  const parsed = runnerSchema.safeParse(value);
  if (!parsed.success) throw unreadableError(attempt, "a runner with its id was expected");
  const { id, description, paused, active } = parsed.data;
  return { runnerId: id, description, paused: paused ?? active === false };
}

export function projectIdOf(attempt: Attempt, value: unknown): number {
  const parsed = projectSchema.safeParse(value);
  if (!parsed.success) throw unreadableError(attempt, "a project with its id was expected");
  return parsed.data.id;
}

export function madeRunnerOf(attempt: Attempt, value: unknown): MadeRunner {
  const parsed = madeSchema.safeParse(value);
  if (!parsed.success) throw unreadableError(attempt, "a runner's id and token were expected");
  return { runnerId: parsed.data.id, token: parsed.data.token };
}
