import { FireRunnerError } from "../../model/errors.js";

/** A job as the coordinator hands it out, with the defaults of a real runner filled in. */
export interface ReceivedJob {
  readonly id: number;
  /** The job's own token: every later call is made with it. */
  readonly token: string;
  readonly name: string;
  readonly timeoutS: number;
  readonly git: JobSource;
  readonly variables: readonly JobVariable[];
  readonly steps: readonly JobStep[];
}

/** Where the job's files come from; an empty `repoUrl` or `sha` means that there are none. */
interface JobSource {
  readonly repoUrl: string;
  readonly ref: string;
  readonly sha: string;
  readonly refspecs: readonly string[];
  /** Commits of history; 0 is all of it. */
  readonly depth: number;
}

export interface JobVariable {
  readonly key: string;
  readonly value: string;
  /** The job sees the path of a file that holds the value. */
  readonly file: boolean;
  readonly masked: boolean;
  /** The value is not expanded. */
  readonly raw: boolean;
}

export interface JobStep {
  readonly name: string;
  readonly script: readonly string[];
  readonly when: "on_success" | "on_failure" | "always";
  readonly allowFailure: boolean;
}

const defaultTimeoutS = 7200;

/**
 * Reads the body of a `201` answer as a real runner does: unknown fields are ignored, missing ones get their zero value.
 * Throws `FR-INVALID` when it has no id or no token, since nothing can be reported then.
 */
export function readReceivedJob(body: Buffer): ReceivedJob {
  const job = record(parse(body));
  const id = whole(job.id);
  const token = text(job.token);
  if (id <= 0 || token === "") throw new FireRunnerError("FR-INVALID", "the coordinator handed out a job without id or token");
  const git = record(job.git_info);
  return {
    id,
    token,
    name: text(record(job.job_info).name) || `job ${id}`,
    timeoutS: whole(record(job.runner_info).timeout) || defaultTimeoutS,
    git: {
      repoUrl: text(git.repo_url),
      ref: text(git.ref),
      sha: text(git.sha),
      refspecs: list(git.refspecs)
        .map(text)
        .filter((spec) => spec !== ""),
      depth: whole(git.depth),
    },
    variables: list(job.variables)
      .map(record)
      .map(readVariable)
      .filter(({ key }) => key !== ""),
    steps: list(job.steps).map(record).map(readStep),
  };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-INVALID", "reading the job that the coordinator handed out");
  }
}

function readVariable(variable: Readonly<Record<string, unknown>>): JobVariable {
  return {
    key: text(variable.key),
    value: text(variable.value),
    file: variable.file === true,
    masked: variable.masked === true,
    raw: variable.raw === true,
  };
}

function readStep(step: Readonly<Record<string, unknown>>): JobStep {
  const when = step.when === "always" || step.when === "on_failure" ? step.when : "on_success";
  return { name: text(step.name), script: list(step.script).map(text), when, allowFailure: step.allow_failure === true };
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const whole = (value: unknown): number => (typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
