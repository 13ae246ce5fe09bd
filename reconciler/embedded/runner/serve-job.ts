import type { Clock } from "../../model/clock.js";
import type { Coordinator } from "./coordinator.js";
import { JobLog } from "./job-log.js";
import { JobStop } from "./job-stop.js";
import type { JobUser } from "./job-user.js";
import { LogSender } from "./log-sender.js";
import type { ReceivedJob } from "./received-job.js";
import { runJob } from "./run-job.js";
import { expandVariables, inheritedEnvironment } from "./variables.js";

/** What of a runner's options serving one job needs. */
export interface ServeOptions {
  readonly token: string;
  readonly systemId: string;
  readonly buildsDir: string;
  readonly jobUser?: JobUser | undefined;
  readonly say: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly terminate: AbortSignal;
  readonly clock: Clock;
  readonly logLimitBytes?: number;
  readonly killGraceMs?: number;
}

const defaultLogLimitBytes = 4 * 1_048_576;
const defaultKillGraceMs = 10_000;

/** Runs a job and tells the coordinator all of it: the log as it grows, and the end. Never rejects. */
export async function serveJob(job: ReceivedJob, coordinator: Coordinator, options: ServeOptions): Promise<void> {
  const { clock, say, terminate } = options;
  const stop = new JobStop();
  const masked = [...job.variables, ...expandVariables(job.variables)].filter((variable) => variable.masked);
  const log = new JobLog({
    secrets: [options.token, job.token, ...masked.map(({ value }) => value)],
    limitBytes: options.logLimitBytes ?? defaultLogLimitBytes,
    now: () => clock.now(),
  });
  const sender = new LogSender({ coordinator, job, log, clock, onCancel: () => stop.stop("cancel"), onAbort: () => stop.stop("abort") });
  const onTerminate = () => {
    stop.stop("terminate");
    sender.hurry();
  };
  terminate.addEventListener("abort", onTerminate, { once: true });
  if (terminate.aborted) onTerminate();
  const end = await runJob({
    job,
    log,
    stop,
    clock,
    buildsDir: options.buildsDir,
    user: options.jobUser,
    inherited: inheritedEnvironment(options.env),
    killGraceMs: options.killGraceMs ?? defaultKillGraceMs,
    systemId: options.systemId,
  });
  const result = end.state === "success" ? "Job succeeded" : `Job failed (${end.reason})`;
  const told = await sender.finish(end);
  terminate.removeEventListener("abort", onTerminate);
  say(`${result}${told ? "" : ", which the coordinator did not take"} job=${job.id}`);
}
