/** How far the GitLab adapter goes. Times are milliseconds. */
export interface ForgeLimits {
  /** One request until its whole answer. */
  readonly requestMs: number;
  /** One call of the port with all its requests, repeats and pauses. */
  readonly callMs: number;
  /** A call that reads the jobs of a scope, or a log. */
  readonly longCallMs: number;
  /** How often a request is sent, the first time included. */
  readonly tries: number;
  /** Pauses between tries are drawn from 0 up to this, doubled with each try, … */
  readonly baseMs: number;
  /** … but at most up to this. */
  readonly capMs: number;
  /** Requests of one credential at a time, and how many more may wait. */
  readonly concurrency: number;
  readonly queue: number;
  readonly maxAnswerBytes: number;
  /** Of a longer log the end is kept. */
  readonly maxLogBytes: number;
  /** Pages of 100 that are read of one list of jobs, runners or projects. */
  readonly jobPages: number;
  readonly runnerPages: number;
  readonly projectPages: number;
  /** How long the projects of a group or instance are remembered. */
  readonly projectsMs: number;
  /** Projects of a group or instance whose jobs are read in one call, and how many of them at a time. */
  readonly projectsPerCall: number;
  readonly projectsAtOnce: number;
}

/** A call that changes something ends within the 15 s for which whoever asks may still be sure to lead. */
export const defaultForgeLimits: ForgeLimits = {
  requestMs: 10_000,
  callMs: 14_000,
  longCallMs: 30_000,
  tries: 4,
  baseMs: 250,
  capMs: 5_000,
  concurrency: 24,
  queue: 4_096,
  maxAnswerBytes: 8 * 1_048_576,
  maxLogBytes: 4 * 1_048_576,
  jobPages: 100,
  runnerPages: 50,
  projectPages: 10,
  projectsMs: 300_000,
  projectsPerCall: 50,
  projectsAtOnce: 4,
};
