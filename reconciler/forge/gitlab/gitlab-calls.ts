import type { Clock } from "../../model/clock.js";
import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Urgency } from "./budget.js";
import type { CallBounds, Calls } from "./calls.js";
import type { Client, Clients } from "./client.js";
import { type Attempt, attempted } from "./failure.js";
import type { ForgeLimits } from "./limits.js";

/** What the calls of the port are made of. */
export interface GitLabCalls {
  readonly clock: Clock;
  readonly calls: Calls;
  readonly clients: Clients;
  readonly limits: ForgeLimits;
}

/** What the token must be allowed to do, in words for people. */
export const needs = {
  readJobs: "the scope read_api, and the role Reporter or higher in the project",
  readProtectedRefs: "the scope read_api, and the role Maintainer in the project",
  listRunners: "the scope read_api, and the role Maintainer in the project, Owner in the group, or administrator",
  createRunners: "the scope create_runner, and the role Maintainer in the project, Owner in the group, or administrator",
  cancelJobs: "the scope api, and the role Developer or higher in the project",
  forceCancel: "the scope api, and the role Maintainer in the project",
  manageWebhooks: "the scope api, and the role Maintainer in the project, or Owner in the group",
  manageRunners: "the scope manage_runner, and the role Maintainer in the project, Owner in the group, or administrator",
} as const;

/** One call of the port: `work` gets a client that keeps to the call's deadline. */
export function callGitLab<T>(
  { calls, clients }: GitLabCalls,
  connection: Connection,
  what: string,
  need: keyof typeof needs,
  deadlineMs: number,
  work: (client: Client, attempt: Attempt, bounds: CallBounds) => Promise<T>,
  urgency: Urgency = "hot",
): Promise<T> {
  const attempt = { connection, what, needs: needs[need] };
  return calls.run(attempted(attempt), deadlineMs, async (bounds) => work(await clients(attempt, bounds), attempt, bounds), urgency);
}

export const isNotFound = (caught: unknown): boolean => caught instanceof FireRunnerError && caught.code === "FR-FORGE-NOT-FOUND";

/** The status with which GitLab refused, when it did. */
export const refusedWith = (caught: unknown): unknown => (caught instanceof FireRunnerError ? caught.details.status : undefined);

/** What a read gives, or undefined when GitLab does not know the object. */
export async function known<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (caught) {
    if (isNotFound(caught)) return undefined;
    throw caught;
  }
}
