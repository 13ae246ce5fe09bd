import { type JobTraits, matches } from "../../../model/matches.js";
import type { Found } from "../engine/engine.js";
import type { Project } from "../records/project.js";
import { type Runner, runnerStatus, traitsOf } from "../records/runner.js";
import type { World } from "../world.js";

type Matching = Pick<World, "projects" | "runners" | "clock">;

/** What of a job decides which runners may take it. */
function jobTraits({ run, job }: Found, project: Project, projects: Matching["projects"]): JobTraits {
  return {
    projectId: project.id,
    groupIds: projects.groupIdsOf(project),
    tags: job.definition.tags,
    protected: run.pipeline.protected,
  };
}

function mayTake(runner: Runner, found: Found, projects: Matching["projects"]): boolean {
  const project = projects.find(String(found.run.pipeline.projectId));
  if (project === undefined) return false;
  const job = jobTraits(found, project, projects);
  return traitsOf(runner).some((traits) => matches(traits, job));
}

/** Whether a runner that may take the job is online, which GitLab wants to see before it lets a job wait for long. */
export function isServed({ runners, projects, clock }: Matching, found: Found): boolean {
  const now = clock.now();
  return runners
    .all()
    .some(
      (runner) =>
        !runner.paused && runnerStatus(runner.contactedAt, runner.createdAt, now) === "online" && mayTake(runner, found, projects),
    );
}

/** Hands the oldest job that the runner may take to it, or returns undefined when there is none. */
export function takeJob(
  { engine, projects }: Pick<World, "engine" | "projects">,
  runner: Runner,
  systemId: string,
  gracefulCancel: boolean,
): Found | undefined {
  const found = engine.pending().find((candidate) => mayTake(runner, candidate, projects));
  if (found === undefined) return undefined;
  const timeoutS = Math.min(found.job.timeoutS, runner.maximumTimeoutS ?? Number.POSITIVE_INFINITY);
  engine.assign(found.job.id, { runnerId: runner.id, systemId, gracefulCancel }, timeoutS);
  return engine.job(found.job.id);
}
