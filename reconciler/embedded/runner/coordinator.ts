import type { Clock } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { type Answer, exchange } from "./exchange.js";
import { type ReceivedJob, readReceivedJob } from "./received-job.js";

export interface CoordinatorOptions {
  /** The root of the GitLab, for example `https://gitlab.example.com`. */
  readonly url: string;
  readonly token: string;
  readonly systemId: string;
  readonly clock: Clock;
}

/** What came of asking for a job. */
export type JobAnswer =
  | { readonly kind: "job"; readonly job: ReceivedJob }
  | { readonly kind: "none" }
  | { readonly kind: "forbidden" }
  | Failed;

/** What came of sending a part of the log; `resume` asks for everything from there on. */
export type LogAnswer = (Heard & { readonly kind: "kept" }) | (Heard & { readonly kind: "resume"; readonly from: number }) | Gone | Failed;

/** What came of telling the job's state; `later` is to be asked again, `mismatch` wants the whole log again. */
export type UpdateAnswer = (Heard & { readonly kind: "done" | "later" | "mismatch" }) | Gone | Failed;

/** What every answer about a job may say besides. */
export interface Heard {
  /** Whether the job is to go on, to be cancelled with its after_script, or was ended by others. */
  readonly wish: "go-on" | "cancel" | "abort";
  /** How often the coordinator wants to hear of the job. */
  readonly intervalMs: number | undefined;
}

/** The job is no longer this runner's. */
interface Gone {
  readonly kind: "gone";
}

/** It may go better later; `retryAfterMs` is the coordinator's wish. */
interface Failed {
  readonly kind: "failed";
  readonly why: string;
  readonly retryAfterMs: number | undefined;
}

/** How a job ended. */
export type JobEnd =
  | { readonly state: "success" }
  | { readonly state: "failed"; readonly reason: FailureReason; readonly exitCode: number | undefined };

/** GitLab's names for why a job failed. */
export type FailureReason = "script_failure" | "runner_system_failure" | "job_execution_timeout" | "job_canceled";

/** A state of a job, told by its runner. */
export type JobUpdate = { readonly state: "running" } | (JobEnd & SentLog);

/** What the whole log amounts to, so that the coordinator can compare. */
interface SentLog {
  readonly checksum: string;
  readonly bytesize: number;
}

/** A long poll is held for up to 50 s by GitLab. */
const requestTimeoutMs = 90_000;
const callTimeoutMs = 25_000;
const maxRetryAfterMs = 60_000;

const info = {
  name: "fr-runner",
  version: "17.4.0",
  revision: "embedded",
  platform: process.platform,
  architecture: process.arch === "x64" ? "amd64" : process.arch,
  executor: "shell",
  shell: "bash",
  features: {
    variables: true,
    raw_variables: true,
    refspecs: true,
    masking: true,
    multi_build_steps: true,
    trace_reset: true,
    trace_checksum: true,
    trace_size: true,
    return_exit_code: true,
    cancelable: true,
    cancel_gracefully: true,
  },
};

/** The runner's side of GitLab's runner protocol: one method for each call, one request for each, no retries. */
export class Coordinator {
  private lastUpdate: string | undefined;

  constructor(private readonly options: CoordinatorOptions) {}

  /** Asks for a job; an abort of `signal` ends the wait and may lose a job that is being handed out. */
  async requestJob(signal: AbortSignal): Promise<JobAnswer> {
    const { token, systemId } = this.options;
    const body = { info, token, system_id: systemId, ...(this.lastUpdate === undefined ? {} : { last_update: this.lastUpdate }) };
    const answer = await this.send("POST", "jobs/request", { "RUNNER-TOKEN": token }, body, requestTimeoutMs, signal);
    if (answer.kind === "unreachable") return failed(answer);
    this.lastUpdate = header(answer, "x-gitlab-last-update") ?? this.lastUpdate;
    switch (answer.status) {
      case 201:
        return readJob(answer.body);
      case 204:
        return { kind: "none" };
      case 403:
        return { kind: "forbidden" };
      default:
        return failed(answer);
    }
  }

  /** Sends the log's bytes from `offset` on. */
  async appendLog(job: ReceivedJob, offset: number, chunk: Buffer): Promise<LogAnswer> {
    const headers = {
      "JOB-TOKEN": job.token,
      "Content-Type": "text/plain",
      "Content-Range": `${offset}-${offset + chunk.length - 1}`,
    };
    const answer = await this.send("PATCH", `jobs/${job.id}/trace?debug_trace=false`, headers, chunk, callTimeoutMs);
    if (answer.kind === "unreachable") return failed(answer);
    if (answer.status === 416)
      return { ...heard(answer), kind: "resume", from: Number(/-(\d+)$/.exec(header(answer, "range") ?? "")?.[1] ?? 0) };
    if (answer.status === 403 || answer.status === 404) return { kind: "gone" };
    return isSuccess(answer.status) ? { ...heard(answer), kind: "kept" } : failed(answer);
  }

  /** Tells the job's state. */
  async updateJob(job: ReceivedJob, update: JobUpdate): Promise<UpdateAnswer> {
    const answer = await this.send(
      "PUT",
      `jobs/${job.id}`,
      { "JOB-TOKEN": job.token },
      { info, token: job.token, ...fields(update) },
      callTimeoutMs,
    );
    if (answer.kind === "unreachable") return failed(answer);
    if (answer.status === 202) return { ...heard(answer), kind: "later" };
    if (answer.status === 412) return { ...heard(answer), kind: "mismatch" };
    if (answer.status === 403 || answer.status === 404) return { kind: "gone" };
    return isSuccess(answer.status) ? { ...heard(answer), kind: "done" } : failed(answer);
  }

  private send(
    method: "POST" | "PUT" | "PATCH",
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Buffer | object,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const url = new URL(`${this.options.url.replace(/\/+$/, "")}/api/v4/${path}`);
    const json = {
      "Content-Type": "application/json",
      Accept: "application/json",
      "User-Agent": `${info.name} ${info.version} (${info.revision})`,
    };
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const question = { method, url, headers: { ...json, ...headers }, body: bytes, timeoutMs };
    return exchange(signal === undefined ? question : { ...question, signal }, this.options.clock);
  }
}

function readJob(body: Buffer): JobAnswer {
  try {
    return { kind: "job", job: readReceivedJob(body) };
  } catch (caught) {
    return { kind: "failed", why: FireRunnerError.from(caught).message, retryAfterMs: undefined };
  }
}

function fields(update: JobUpdate): object {
  if (update.state === "running") return { state: update.state };
  const { checksum, bytesize } = update;
  const sent = { state: update.state, checksum, output: { checksum, bytesize } };
  if (update.state === "success") return sent;
  return { ...sent, failure_reason: update.reason, ...(update.exitCode === undefined ? {} : { exit_code: update.exitCode }) };
}

type Received = Extract<Answer, { kind: "answer" }>;

function heard(answer: Received): Heard {
  const status = header(answer, "job-status");
  const interval = Number(header(answer, "x-gitlab-trace-update-interval") ?? "");
  return {
    wish: status === "canceling" ? "cancel" : status === "canceled" || status === "failed" ? "abort" : "go-on",
    intervalMs: interval > 0 ? Math.min(Math.max(interval, 1), 60) * 1000 : undefined,
  };
}

function failed(answer: Answer): Failed {
  if (answer.kind === "unreachable") return { kind: "failed", why: answer.why, retryAfterMs: undefined };
  const seconds = Number(header(answer, "retry-after") ?? "");
  return {
    kind: "failed",
    why: `status ${answer.status}`,
    retryAfterMs: seconds > 0 ? Math.min(seconds * 1000, maxRetryAfterMs) : undefined,
  };
}

function header(answer: Received, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const isSuccess = (status: number) => status >= 200 && status < 300;
