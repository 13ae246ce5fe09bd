import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { ActiveJobs } from "../port.js";
import type { CallBounds } from "./calls.js";
import type { Client } from "./client.js";
import { type Attempt, attempted } from "./failure.js";
import { callGitLab, type GitLabCalls, known } from "./gitlab-calls.js";
import { type ProjectJobs, readActiveJobs } from "./job-calls.js";
import type { ScopeProjects } from "./scope-projects.js";

/**
 * The waiting and running jobs of one project, or of the connection's scope. GitLab lists jobs by project only, so a
 * group or instance is read project by project: at most some in one call, those that were not read for longest first.
 */
export function activeJobs(
  gitlab: GitLabCalls,
  projects: ScopeProjects,
  connection: Connection,
  projectId: number | undefined,
): Promise<ActiveJobs> {
  const { scope } = connection;
  const own = "projectId" in scope ? scope.projectId : undefined;
  const one = projectId ?? own;
  const what = one === undefined ? "reading the active jobs of its projects" : `reading the active jobs of project ${one}`;
  return callGitLab(
    gitlab,
    connection,
    what,
    "readJobs",
    gitlab.limits.longCallMs,
    async (client, attempt, bounds) => {
      if (one === undefined) return ofScope(gitlab, projects, client, attempt, bounds);
      const reading = readActiveJobs(gitlab, client, attempt, one);
      // That the connection's own project is not known is a fault; any other may have been removed, and then has no jobs.
      const read = one === own ? await reading : ((await known(reading)) ?? { jobs: [], complete: true });
      return { jobs: read.jobs, projectIds: read.complete ? [one] : [] };
    },
    "background",
  );
}

async function ofScope(
  gitlab: GitLabCalls,
  projects: ScopeProjects,
  client: Client,
  attempt: Attempt,
  bounds: CallBounds,
): Promise<ActiveJobs> {
  const waiting = [...(await projects.next(client, attempt))];
  const read = new Map<number, ProjectJobs>();
  const faults: unknown[] = [];
  let given = false;

  const worker = async () => {
    // What was read is worth more than what would come too late.
    while (!given && bounds.remainingMs() > gitlab.limits.requestMs) {
      const projectId = waiting.shift();
      if (projectId === undefined) return;
      projects.tried(attempt.connection, projectId);
      try {
        read.set(projectId, await readActiveJobs(gitlab, client, attempt, projectId));
      } catch (caught) {
        faults.push(caught);
        given ||= concernsAll(caught);
      }
    }
  };
  await Promise.all(Array.from({ length: gitlab.limits.projectsAtOnce }, worker));
  // Projects without CI or without access for the token are left out; but when none was read, nothing is known.
  if (read.size === 0 && faults.length > 0) throw faults.find(concernsAll) ?? faults[0];
  if (read.size === 0 && waiting.length > 0) throw slowError(attempt);
  const complete = [...read].filter(([, { complete }]) => complete);
  return { jobs: [...read.values()].flatMap(({ jobs }) => jobs), projectIds: complete.map(([projectId]) => projectId) };
}

function slowError(attempt: Attempt): FireRunnerError {
  const message = `${attempted(attempt)}: GitLab took so long to list the projects that no time was left for their jobs`;
  return new FireRunnerError("FR-FORGE-UNREACHABLE", message, { retryable: true });
}

/** Whether the next project would fare no better. */
function concernsAll(caught: unknown): boolean {
  if (!(caught instanceof FireRunnerError)) return true;
  return caught.retryable || caught.details.status === 401 || caught.details.tokenScope === true;
}
