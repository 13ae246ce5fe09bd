import { FireRunnerError } from "../reconciler/model/errors.js";
import { adapt, type DynamicProvider } from "./dynamic-adapter.js";
import { connectionHandler } from "./handlers/connection.js";
import type { Handler } from "./handlers/handler.js";
import { hostHandler } from "./handlers/host.js";
import { imageHandler } from "./handlers/image.js";
import { poolHandler } from "./handlers/pool.js";
import { interrupt } from "./interrupt.js";
import { type ResourceType, resourceTypes } from "./resource-types.js";

const handlers: Readonly<Record<ResourceType, Handler>> = {
  FlintlockHost: hostHandler,
  MicrovmImage: imageHandler,
  GitLabConnection: connectionHandler,
  RunnerPool: poolHandler,
};

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
