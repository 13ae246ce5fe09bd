import type { ForgeJob } from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import { isFinished, isRunning, type Job, type JobStatus, jobKey } from "../model/job.js";
import type { Store, Write } from "../store/port.js";
import type { ExecutionContext } from "./execution.js";
import { jobRecord } from "./job-record.js";

/** Writes down what the forge said about a job, if it is ours to know, and in the same commit what `also` gives. */
export async function learn(
  connection: Connection,
  read: ForgeJob,
  readAt: number,
  { ports, writes }: ExecutionContext,
  also?: () => readonly Write[],
): Promise<void> {
  const key = jobKey({ connection: connection.name, projectId: read.projectId, jobId: read.jobId });
  const change = (known: Job | undefined) => {
    if (known === undefined && !isWorthKnowing(read, connection, ports.store)) return undefined;
    // One that went back to waiting for something else than a runner is read again when it asks for one.
    if (known?.status === "pending" && known.readAt <= readAt && isDormant(read.status)) return null;
    return jobRecord(connection, known, read, readAt, () => ports.random.hex(16));
  };
  await writes.update("job", key, change, [], also);
}

/** A job that nobody knew matters when it waits, or when one of our runners runs or ran it. */
function isWorthKnowing(read: ForgeJob, connection: Connection, store: Store): boolean {
  if (read.status === "pending") return true;
  if (isDormant(read.status) || read.runnerId === undefined) return false;
  return store.list("identity").some(({ value }) => value.connection === connection.name && value.runnerId === read.runnerId);
}

/** Whether the job neither asks for a runner, nor has one, nor is over. */
const isDormant = (status: JobStatus): boolean => status !== "pending" && !isRunning(status) && !isFinished(status);

/** What removes a hint that was followed, unless it was given again meanwhile: then what was read may be older than it. */
export function followed(key: string, revision: number | undefined, { ports: { store } }: ExecutionContext): readonly Write[] {
  if (revision === undefined || store.get("hint", key)?.revision !== revision) return [];
  return [{ kind: "hint", key, value: null, expect: revision }];
}
