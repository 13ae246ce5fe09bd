import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { ActiveJobs } from "../port.js";
import type { CallBounds } from "./calls.js";
import type { Client } from "./client.js";
import { type Attempt, attempted } from "./failure.js";
import { callGitLab, type GitLabCalls, isNotFound, refusedWith } from "./gitlab-calls.js";
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
  if (projectId !== undefined) projects.noted(connection, projectId);
  const what = one === undefined ? "reading the active jobs of its projects" : `reading the active jobs of project ${one}`;
  return callGitLab(
    gitlab,
    connection,
    what,
    "readJobs",
    gitlab.limits.longCallMs,
    async (client, attempt, bounds) => {
      if (one === undefined) return ofScope(gitlab, projects, client, attempt, bounds);
      return ofProject(gitlab, client, attempt, one, one === own);
    },
    // One that is asked for by name is read in place of its many jobs, one by one.
    projectId === undefined ? "background" : "hot",
  );
}

async function ofProject(gitlab: GitLabCalls, client: Client, attempt: Attempt, projectId: number, isOwn: boolean): Promise<ActiveJobs> {
  try {
    const read = await readActiveJobs(gitlab, client, attempt, projectId);
    return read.complete
      ? { jobs: read.jobs, projectIds: [projectId], unread: [] }
      : { jobs: read.jobs, projectIds: [], unread: [cut(gitlab, projectId)] };
  } catch (caught) {
    // That the connection's own project is not known is a fault; any other may have been removed, and then has no jobs.
    if (isOwn || concernsAll(caught)) throw caught;
    if (isNotFound(caught)) return { jobs: [], projectIds: [projectId], unread: [] };
    return { jobs: [], projectIds: [], unread: [refused(projectId, caught)] };
  }
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
  const faults = new Map<number, unknown>();
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
        faults.set(projectId, caught);
        given ||= concernsAll(caught);
      }
    }
  };
  await Promise.all(Array.from({ length: gitlab.limits.projectsAtOnce }, worker));
  // Projects without CI or without access for the token are told of; but when none was read, nothing is known.
  const caught = [...faults.values()];
  if (read.size === 0 && caught.length > 0) throw caught.find(concernsAll) ?? caught[0];
  if (read.size === 0 && waiting.length > 0) throw slowError(attempt);
  const projectIds = [...read].flatMap(([projectId, { complete }]) => (complete ? [projectId] : []));
  const unread = [
    ...[...read].flatMap(([projectId, { complete }]) => (complete ? [] : [cut(gitlab, projectId)])),
    ...[...faults].flatMap(([projectId, fault]) => (concernsAll(fault) ? [] : [refused(projectId, fault)])),
  ];
  return { jobs: [...read.values()].flatMap(({ jobs }) => jobs), projectIds, unread };
}

const cut = ({ limits }: GitLabCalls, projectId: number) => ({
  projectId,
  why: `the newest of more than ${limits.jobPages * 100} are read`,
});

const refused = (projectId: number, caught: unknown) => ({
  projectId,
  why: `GitLab answered ${refusedWith(caught)}: its CI/CD is off, or the token may not read its jobs`,
});

function slowError(attempt: Attempt): FireRunnerError {
  const message = `${attempted(attempt)}: GitLab took so long to list the projects that no time was left for their jobs`;
  return new FireRunnerError("FR-FORGE-UNREACHABLE", message, { retryable: true });
}

/** Whether the next project would fare no better. */
function concernsAll(caught: unknown): boolean {
  if (!(caught instanceof FireRunnerError)) return true;
  return caught.retryable || caught.details.status === 401 || caught.details.tokenScope === true;
}
