import type { Effect } from "../plan/effect.js";
import { executeOnForge } from "./execute-on-forge.js";
import { executeOnHost } from "./execute-on-host.js";
import { executeOnLostJob } from "./execute-on-lost-job.js";
import type { Execution, ExecutionContext } from "./execution.js";

/** Carries out one effect and writes down its result. Throws a `FireRunnerError` when it is to be tried again later. */
export async function execute(effect: Effect, context: ExecutionContext): Promise<Execution> {
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
