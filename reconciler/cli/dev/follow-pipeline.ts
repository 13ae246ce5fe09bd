import { FireRunnerError } from "../../model/errors.js";
import type { Job } from "../../model/job.js";
import { type GitLabClient, isOver, type Pipeline } from "./gitlab-client.js";
import { type JobRow, jobRows } from "./rows.js";

const lookEveryMs = 200;
/** How long FireRunner may take to learn on which microVM the last jobs ran. */
const learnMs = 30_000;

export interface FollowOptions {
  readonly gitlab: GitLabClient;
  /** What FireRunner knows of the project's jobs. */
  readonly known: (projectId: number) => Promise<readonly Job[]> | readonly Job[];
  readonly projectId: number;
  readonly pipelineId: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly show: (rows: readonly JobRow[]) => void;
}

export interface Followed {
  readonly pipeline: Pipeline;
  readonly rows: readonly JobRow[];
}

/**
 * Looks at a pipeline again and again until it is over, and for a while until it is known where its jobs ran; rejects with
 * `FR-INVALID` at the deadline, or when it is aborted.
 */
export async function followPipeline(options: FollowOptions): Promise<Followed> {
  const { gitlab, projectId, pipelineId, signal } = options;
  const limit = Date.now() + options.deadlineMs;
  let overAt: number | undefined;
  for (;;) {
    // The pipeline is read before its jobs: when it is over, so are they.
    const pipeline = await gitlab.pipeline(projectId, pipelineId);
    const [jobs, known] = await Promise.all([gitlab.jobs(projectId, pipelineId), options.known(projectId)]);
    const rows = jobRows(jobs, known, Date.now());
    options.show(rows);
    if (isOver(pipeline.status) && rows.every((row) => isOver(row.status) || row.status === "manual")) {
      overAt ??= Date.now();
      // The forge knows of a job's end before anybody who is told of it.
      if (rows.every((row) => row.vm !== undefined || row.ranMs === undefined) || Date.now() >= overAt + learnMs) return { pipeline, rows };
    } else if (Date.now() >= limit) {
      const waiting = rows.filter((row) => !isOver(row.status)).map((row) => `${row.name} (${row.status})`);
      throw new FireRunnerError("FR-INVALID", `the pipeline was not over after ${options.deadlineMs / 1000} s: ${waiting.join(", ")}`);
    }
    await pause(lookEveryMs, signal);
  }
}

/** Resolves after `delayMs`; rejects when the signal aborts. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, delayMs);
    signal.addEventListener("abort", aborted, { once: true });
  });
}
