import type { Scope } from "../../../model/connection.js";
import type { RunnerTraits } from "../../../model/matches.js";
import type { User } from "./user.js";

export type RunnerType = "instance_type" | "group_type" | "project_type";

/** A process that works for a runner; runners that share a token are told apart by their system id. */
export interface RunnerManager {
  readonly id: number;
  readonly systemId: string;
  readonly version: string | undefined;
  readonly revision: string | undefined;
  readonly platform: string | undefined;
  readonly architecture: string | undefined;
  readonly createdAt: number;
  /** As of a runner. */
  readonly contactedAt: number | undefined;
}

/** A runner. Times are milliseconds since the Unix epoch. */
export interface Runner {
  readonly id: number;
  readonly token: string;
  readonly type: RunnerType;
  /** What it was made for. */
  readonly scope: Scope;
  /** Further projects that a project runner works for; a locked one gets none. */
  readonly alsoProjectIds: readonly number[];
  readonly creator: User;
  readonly description: string;
  readonly maintenanceNote: string | undefined;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly locked: boolean;
  readonly accessLevel: "not_protected" | "ref_protected";
  readonly paused: boolean;
  readonly maximumTimeoutS: number | undefined;
  readonly createdAt: number;
  /** When it asked for a job last, or told of one. */
  readonly contactedAt: number | undefined;
  readonly managers: readonly RunnerManager[];
}

export type RunnerStatus = "online" | "offline" | "stale" | "never_contacted";

const onlineMs = 2 * 3_600_000;
const staleMs = 7 * 86_400_000;

/** What GitLab says about a runner or manager that was heard at `contactedAt`. */
export function runnerStatus(contactedAt: number | undefined, createdAt: number, now: number): RunnerStatus {
  if (now - (contactedAt ?? createdAt) >= staleMs) return "stale";
  if (contactedAt === undefined) return "never_contacted";
  return now - contactedAt < onlineMs ? "online" : "offline";
}

/** What of the runner decides which jobs it may take, once for each scope that it works for. */
export const traitsOf = (runner: Runner): readonly RunnerTraits[] =>
  [runner.scope, ...runner.alsoProjectIds.map((projectId) => ({ projectId }))].map((scope) => ({
    tags: runner.tags,
    runUntagged: runner.runUntagged,
    scope,
    protectedOnly: runner.accessLevel === "ref_protected",
  }));
