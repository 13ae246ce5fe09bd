import type { Job } from "../../model/job.js";
import type { PipelineJob } from "./gitlab-client.js";

/** One job as the live view and the summary show it. Durations are milliseconds. */
export interface JobRow {
  readonly jobId: number;
  readonly name: string;
  readonly stage: string;
  readonly status: string;
  readonly allowFailure: boolean;
  readonly vm: string | undefined;
  readonly host: string | undefined;
  /** Why it waits, while it does. */
  readonly reason: Job["waitingReason"];
  /** From the queue to the decision on its microVM. */
  readonly queueToVmMs: number | undefined;
  /** From that decision until a runner took it. */
  readonly vmToRunningMs: number | undefined;
  readonly ranMs: number | undefined;
  /** From the queue to its end. */
  readonly totalMs: number | undefined;
}

/** Joins what the forge says about a pipeline's jobs with what FireRunner knows of them; `now` ends what still lasts. */
export function jobRows(pipeline: readonly PipelineJob[], known: readonly Job[], now: number): readonly JobRow[] {
  const byId = new Map(known.map((job) => [job.jobId, job]));
  return pipeline.map((told): JobRow => {
    const job = byId.get(told.id);
    const startedAt = timeOf(told.started_at);
    const finishedAt = timeOf(told.finished_at);
    const queuedAt = job?.queuedAt;
    const running = told.status === "running" || told.status === "canceling";
    return {
      jobId: told.id,
      name: told.name,
      stage: told.stage,
      status: told.status,
      allowFailure: told.allow_failure,
      vm: job?.vm,
      host: job?.host,
      reason: told.status === "pending" ? job?.waitingReason : undefined,
      queueToVmMs: between(queuedAt, job?.vmAt),
      vmToRunningMs: between(job?.vmAt, startedAt),
      ranMs: between(startedAt, finishedAt ?? (running ? now : undefined)),
      totalMs: between(queuedAt, finishedAt),
    };
  });
}

function between(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

function timeOf(text: string | null | undefined): number | undefined {
  const at = text == null ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
