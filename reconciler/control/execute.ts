import type { Effect } from "../plan/effect.js";
import { executeOnForge } from "./execute-on-forge.js";
import { executeOnHost } from "./execute-on-host.js";
import { executeOnLostJob } from "./execute-on-lost-job.js";
import type { Execution, ExecutionContext } from "./execution.js";

/** What only looks leaves nothing behind that must be found again. */
const looks: ReadonlySet<Effect["kind"]> = new Set<Effect["kind"]>([
  "listHost",
  "checkGone",
  "readJob",
  "poll",
  "readProtectedRefs",
  "checkConnection",
  "findRunner",
  "readRunningJobs",
]);

/** Carries out one effect and writes down its result. Throws a `FireRunnerError` when it is to be tried again later. */
export async function execute(effect: Effect, context: ExecutionContext): Promise<Execution> {
  // What was recorded of it before must be known to whoever leads after the store has lost its last writes.
  if (!looks.has(effect.kind)) await context.ports.store.settled();
  switch (effect.kind) {
    case "listHost":
    case "createOnHost":
    case "deleteOnHost":
    case "checkGone":
    case "deleteDouble":
      return executeOnHost(effect, context);
    case "confirmLoss":
    case "cancelJob":
    case "retryJob":
      return executeOnLostJob(effect, context);
    default:
      return executeOnForge(effect, context);
  }
}
