import type { Clock, Random } from "../../model/clock.js";
import type { Dials } from "./dials.js";
import type { Engine, Found } from "./engine/engine.js";
import type { ShownJob } from "./entities/job-entity.js";
import type { GitProcesses } from "./git/processes.js";
import type { Repositories } from "./git/repositories.js";
import type { Deliveries } from "./hooks/deliveries.js";
import type { Hooks } from "./hooks/hook.js";
import type { Logs } from "./logs.js";
import type { Members } from "./records/members.js";
import type { Project } from "./records/project.js";
import type { Projects } from "./records/projects.js";
import type { ProtectedRefs } from "./records/protected-refs.js";
import type { Runners } from "./records/runners.js";
import type { Tokens } from "./records/tokens.js";
import type { Users } from "./records/user.js";
import type { JobQueue } from "./runner-api/job-queue.js";

/** Everything that this GitLab has and does, apart from the ways in. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly url: () => string;
  readonly users: Users;
  readonly members: Members;
  readonly projects: Projects;
  readonly protectedRefs: ProtectedRefs;
  readonly runners: Runners;
  readonly tokens: Tokens;
  readonly engine: Engine;
  readonly logs: Logs;
  readonly git: GitProcesses;
  readonly repositories: Repositories;
  readonly hooks: Hooks;
  readonly deliveries: Deliveries;
  readonly queue: JobQueue;
  readonly dials: () => Dials;
  readonly setDials: (dials: Dials) => void;
  /** Aborted when this GitLab stops. */
  readonly stopping: AbortSignal;
  stop(): Promise<void>;
}

/** The version that this GitLab says it has: the one whose ways it follows. */
export const version = "18.5.1";

/** The largest push, in bytes. */
export const maxPushBytes = 268_435_456;

/** A job with what is shown beside it. */
export function shown(world: World, { run, job }: Found, project: Project): ShownJob {
  const runner = job.assignment === undefined ? undefined : world.runners.find(job.assignment.runnerId);
  return { run, job, project, runner, url: world.url(), now: world.clock.now() };
}
