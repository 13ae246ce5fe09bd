import type { JobDefinition } from "../ci-file/definition.js";
import type { Job } from "./run.js";

/** What a new job needs that cannot be computed. */
export interface Fresh {
  readonly id: number;
  readonly token: string;
}

/** A job that waits still. `timeoutS` holds unless its definition says otherwise. */
export function newJob(definition: JobDefinition, fresh: Fresh, timeoutS: number, now: number): Job {
  return {
    ...fresh,
    definition,
    status: "created",
    allowFailure: definition.allowFailure === true,
    released: false,
    attempt: 0,
    retried: false,
    timeoutS: definition.timeoutS ?? timeoutS,
    createdAt: now,
    scheduledAt: undefined,
    queuedAt: undefined,
    startedAt: undefined,
    finishedAt: undefined,
    heardAt: undefined,
    failureReason: undefined,
    exitCode: undefined,
    assignment: undefined,
  };
}
