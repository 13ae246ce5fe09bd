import type { ForgeJob, ForgePort } from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import type { FireRunnerError } from "../model/errors.js";
import type { SimulatedForge } from "./simulated-forge.js";

type Call = Exclude<keyof ForgePort, "stop">;

const calls = (forge: SimulatedForge): Call[] =>
  Object.getOwnPropertyNames(Object.getPrototypeOf(forge)).filter((name): name is Call => isCall.has(name as Call));

const isCall: ReadonlySet<Call> = new Set<Call>([
  ...(["readJob", "activeJobs", "pipelineJobs", "jobLog", "cancelJob", "retryJob", "makeRunner", "findRunners", "pauseRunner"] as Call[]),
  ...(["runningJobs", "deleteRunner", "checkAccess", "ensureWebhook", "unpauseRunner", "readRunner", "showRunner"] as Call[]),
]);

/** Has the forge refuse calls from here on: those for which `refusal` gives an error. */
export function refuseCalls(forge: SimulatedForge, refusal: (call: Call) => FireRunnerError | undefined): void {
  for (const call of calls(forge)) {
    const real = Reflect.get(forge, call) as (...args: unknown[]) => Promise<unknown>;
    Reflect.set(forge, call, async (...args: unknown[]) => {
      const error = refusal(call);
      if (error !== undefined) throw error;
      return real.apply(forge, args);
    });
  }
}

/** The forge's clock is so far ahead: every time that it tells of jobs is. */
export function setForgeClock(forge: SimulatedForge, aheadMs: number): void {
  const skew = (at: number | undefined) => (at === undefined ? undefined : at + aheadMs);
  const skewed = (job: ForgeJob): ForgeJob => ({
    ...job,
    createdAt: skew(job.createdAt),
    queuedAt: skew(job.queuedAt),
    startedAt: skew(job.startedAt),
    finishedAt: skew(job.finishedAt),
  });
  const { readJob, activeJobs, runningJobs } = forge;
  forge.readJob = async (...args) => {
    const job = await readJob.apply(forge, args);
    return job === undefined ? undefined : skewed(job);
  };
  forge.activeJobs = async () => {
    const active = await activeJobs.apply(forge);
    return { ...active, jobs: active.jobs.map(skewed) };
  };
  forge.runningJobs = async (...args) => (await runningJobs.apply(forge, args)).map(skewed);
}

/** Its project is deleted: with it go its jobs, and the runners that were made in it. */
export function deleteProject(forge: SimulatedForge): void {
  forge.clear();
  // Who asks for it by itself is told that it has no jobs; of the scope it is no part any more.
  const ofScope = forge.activeJobs;
  forge.activeJobs = async (_connection?: Connection, projectId?: number) => {
    const active = await ofScope.apply(forge);
    return { ...active, projectIds: projectId === undefined ? active.projectIds : [projectId] };
  };
}
