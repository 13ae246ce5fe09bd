import type { Connection } from "../model/connection.js";
import type { FireRunnerError } from "../model/errors.js";
import type { ForgeCall, SimulatedForge } from "./simulated-forge.js";

/** What may be refused; the log of a job is not asked for by the loop. */
const calls = [
  ...(["readJob", "activeJobs", "cancelJob", "retryJob", "protectedRefs", "checkAccess", "ensureWebhook"] as const),
  ...(["makeRunner", "findRunners", "readRunner", "showRunner", "pauseRunner", "unpauseRunner", "runningJobs", "deleteRunner"] as const),
] satisfies readonly ForgeCall[];

/** Has the forge refuse calls from here on: those for which `refusal` gives an error. */
export function refuseCalls(forge: SimulatedForge, refusal: (call: ForgeCall) => FireRunnerError | undefined): void {
  for (const call of calls) {
    const real = Reflect.get(forge, call) as (...args: unknown[]) => Promise<unknown>;
    Reflect.set(forge, call, async (...args: unknown[]) => {
      const error = refusal(call);
      if (error !== undefined) throw error;
      return real.apply(forge, args);
    });
  }
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
