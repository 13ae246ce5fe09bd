import { type Clock, systemClock } from "../../model/clock.js";
import { pause } from "../pause.js";
import { Coordinator, type JobAnswer } from "./coordinator.js";
import type { JobUser } from "./job-user.js";
import { serveJob } from "./serve-job.js";

export interface RunnerOptions {
  /** The root of the GitLab. */
  readonly url: string;
  /** The runner's token, `glrt-...`. */
  readonly token: string;
  readonly systemId: string;
  /** Where projects are cloned. */
  readonly buildsDir: string;
  /** Runs the commands of jobs; the runner's own user when left out. */
  readonly jobUser?: JobUser | undefined;
  /** Jobs to run before the runner ends; 0 is without end. */
  readonly maxBuilds: number;
  /** Seconds without a job after which the runner ends; 0 is without end. Looked at between requests only. */
  readonly waitTimeoutS: number;
  /** Takes the runner's own log, line by line. */
  readonly say: (line: string) => void;
  /** The environment that the runner was started in. */
  readonly env: NodeJS.ProcessEnv;
  /** Finish the job that runs, then end. */
  readonly quit: AbortSignal;
  /** Fail the job that runs, say so, and end. */
  readonly terminate: AbortSignal;
  readonly clock?: Clock;
  /** Bytes of a job's log that are kept. */
  readonly logLimitBytes?: number;
  readonly killGraceMs?: number;
}

/** Why a runner ended, and how many jobs it ran. */
export interface RunnerEnd {
  readonly reason: "builds-done" | "no-job" | "stopped" | "forbidden" | "unreachable";
  readonly builds: number;
}

const pollMs = 3_000;
const maxFailures = 200;
/** A request that is under way when the runner is told to end may bring a job, which must not be lost. */
const lastAnswerMs = { quit: 60_000, terminate: 10_000 };

/**
 * Asks GitLab for jobs and runs them one after another, as `gitlab-runner run-single` does: polls every 3 s, ends after
 * `maxBuilds` or `waitTimeoutS`. A refused token ends it at once, since it does not come back. Never rejects; what went
 * wrong with a job is in the job's log and in what GitLab is told.
 */
export async function runRunner(options: RunnerOptions): Promise<RunnerEnd> {
  const clock = options.clock ?? systemClock;
  const coordinator = new Coordinator({ ...options, clock });
  const isStopped = () => options.quit.aborted || options.terminate.aborted;
  let builds = 0;
  let failures = 0;
  let lastJobAt = clock.now();
  options.say(`Starting runner for ${options.url} ...`);
  while (!isStopped()) {
    const answer = await request(coordinator, options, clock);
    let waitMs = pollMs;
    switch (answer.kind) {
      case "forbidden":
        options.say("Checking for jobs... forbidden");
        return { reason: "forbidden", builds };
      case "job":
        options.say(`Checking for jobs... received job=${answer.job.id}`);
        await serveJob(answer.job, coordinator, { ...options, clock });
        builds += 1;
        failures = 0;
        lastJobAt = clock.now();
        if (builds === options.maxBuilds) {
          options.say("This runner has processed its build limit, so now exiting");
          return { reason: "builds-done", builds };
        }
        continue;
      case "none":
        failures = 0;
        break;
      case "failed":
        options.say(`Checking for jobs... failed: ${answer.why}`);
        failures += 1;
        if (failures === maxFailures) return { reason: "unreachable", builds };
        waitMs = Math.max(pollMs, answer.retryAfterMs ?? 0);
    }
    if (isStopped()) break;
    await pause(clock, waitMs, options.quit, options.terminate);
    if (options.waitTimeoutS > 0 && clock.now() - lastJobAt >= options.waitTimeoutS * 1000) {
      options.say(`This runner has not received a job in ${options.waitTimeoutS} seconds, so now exiting`);
      return { reason: "no-job", builds };
    }
  }
  return { reason: "stopped", builds };
}

/** Asks once. Told to end meanwhile, it waits a little longer for the answer. */
async function request(coordinator: Coordinator, { quit, terminate }: RunnerOptions, clock: Clock): Promise<JobAnswer> {
  const giveUp = new AbortController();
  const timers: (() => void)[] = [];
  const soon = () => timers.push(clock.after(lastAnswerMs.quit, () => giveUp.abort()));
  const verySoon = () => timers.push(clock.after(lastAnswerMs.terminate, () => giveUp.abort()));
  quit.addEventListener("abort", soon, { once: true });
  terminate.addEventListener("abort", verySoon, { once: true });
  const answer = await coordinator.requestJob(giveUp.signal);
  quit.removeEventListener("abort", soon);
  terminate.removeEventListener("abort", verySoon);
  for (const cancel of timers) cancel();
  return answer;
}
