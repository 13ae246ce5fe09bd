import type { ForgeJob } from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import { isFinished, isRunning, type Job, type JobStatus } from "../model/job.js";

/**
 * A job's record after the forge was read: what the forge says replaces what it said before, what was decided stays.
 * Undefined when nothing changed but the time of reading.
 */
export function jobRecord(
  { name: connection, url: forge }: Pick<Connection, "name" | "url">,
  known: Job | undefined,
  read: ForgeJob,
  readAt: number,
  newTraceId: () => string,
): Job | undefined {
  if (known !== undefined && known.readAt > readAt) return undefined;
  // Under one id a job goes only forward: a read that was slower than another may still say otherwise.
  if (known !== undefined && progress(read.status) < progress(known.status)) return undefined;
  const { waitingReason, ...decided } = known ?? { traceId: newTraceId() };
  const told: Job = {
    ...decided,
    connection,
    forge,
    projectId: read.projectId,
    jobId: read.jobId,
    name: read.name,
    stage: read.stage,
    status: read.status,
    tags: [...read.tags],
    protected: read.protected,
    allowFailure: read.allowFailure,
    readAt,
    queuedAt: known?.queuedAt ?? read.queuedAt ?? read.createdAt ?? readAt,
    ...(read.status === "pending" && waitingReason !== undefined ? { waitingReason } : {}),
    ...present("pipelineId", read.pipelineId),
    ...present("ref", read.ref),
    ...present("refIsTag", read.refIsTag === true ? true : undefined),
    ...present("runnerId", read.runnerId),
    ...present("createdAt", read.createdAt),
    ...present("startedAt", read.startedAt),
    ...present("finishedAt", read.finishedAt),
  };
  return known !== undefined && same({ ...told, readAt: known.readAt }, known) ? undefined : told;
}

function progress(status: JobStatus): number {
  return isFinished(status) ? 2 : isRunning(status) ? 1 : 0;
}

function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function same(a: Job, b: Job): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Job>;
  return [...keys].every((key) => a[key] === b[key] || JSON.stringify(a[key]) === JSON.stringify(b[key]));
}
