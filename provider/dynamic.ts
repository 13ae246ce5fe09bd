import { FireRunnerError } from "../reconciler/model/errors.js";
import { adapt, type DynamicProvider } from "./dynamic-adapter.js";
import { handlers } from "./handlers/handlers.js";
import { interrupt } from "./interrupt.js";
import { resourceTypes } from "./resource-types.js";

/**
 * The provider of a resource type. States that were written years ago call this function by this name, with this argument,
 * from `firerunner/dynamic`: none of that ever changes, and no type is ever taken away.
 */
export function provider(type: string): DynamicProvider {
  const known = resourceTypes.find((name) => name === type);
  if (known === undefined) {
    throw new FireRunnerError(
      "FR-INVALID",
      `the resource type "${type}" is not known to this version of firerunner, which has ${resourceTypes.join(", ")}; install the version that made it, or a newer one`,
    );
  }
  return adapt({
    handler: handlers[known],
    env: process.env,
    interrupt: interrupt(),
    // The engine reads the first line of standard output and shows the rest.
    say: (line) => process.stderr.write(`firerunner: ${line}\n`),
  });
}
