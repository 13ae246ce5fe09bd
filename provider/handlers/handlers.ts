import type { ResourceType } from "../resource-types.js";
import { connectionHandler } from "./connection.js";
import type { Handler } from "./handler.js";
import { hostHandler } from "./host.js";
import { imageHandler } from "./image.js";
import { poolHandler } from "./pool.js";

/** The handler of each resource type. */
export const handlers: Readonly<Record<ResourceType, Handler>> = {
  FlintlockHost: hostHandler,
  MicrovmImage: imageHandler,
  GitLabConnection: connectionHandler,
  RunnerPool: poolHandler,
};
