import type { Connection, Scope } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import { isRunning } from "../../model/job.js";
import type { ForgeJob, ForgeRunner, MadeRunner, RunnerRequest } from "../port.js";
import { madeRunnerOf, runnerJobOf, runnerOf } from "./answers.js";
import type { Client } from "./client.js";
import { type Attempt, attempted } from "./failure.js";
import { callGitLab, type GitLabCalls, isNotFound, known, needs, refusedWith } from "./gitlab-calls.js";
import { showJob } from "./job-calls.js";
import { readPages } from "./pages.js";
import type { SharedReads } from "./shared-reads.js";

/** GitLab accepts no shorter timeout for a runner. */
const leastTimeoutS = 600;
/** A runner of ours has one job; more than so many pages of 100 are not read. */
const runnerJobPages = 5;

/** What GitLab says when the plan of a project or group allows no more runners (`Limitable` in its source). */
const limitText = /maximum number of .*runners.* exceeded|limit exceeded/i;

/**
 * Makes a runner of the connection's scope. Asked once only unless GitLab surely did not act: when an error leaves that
 * open (`details.sent` is not false), the runner may be found by its description. `FR-FORGE-RUNNER-LIMIT` when the plan of
 * the project or group allows no more.
 */
export function makeRunner(gitlab: GitLabCalls, connection: Connection, request: RunnerRequest): Promise<MadeRunner> {
  const { type, owner } = runnerScope(connection.scope);
  return callGitLab(gitlab, connection, "making a runner", "createRunners", gitlab.limits.callMs, async (client, attempt) => {
    const making = client.users().createCIRunner(type, {
      ...owner,
      description: request.description,
      tagList: [...request.tags],
      runUntagged: request.runUntagged,
      maximumTimeout: Math.max(leastTimeoutS, Math.ceil(request.maxJobTimeoutS)),
      ...(type === "project_type" ? { locked: true } : {}),
      ...(request.protectedOnly === true ? { accessLevel: "ref_protected" as const } : {}),
      ...(request.paused === true ? { paused: true } : {}),
    });
    const made: unknown = await making.catch((caught: unknown) => {
      throw asLimit(caught);
    });
    return madeRunnerOf(attempt, made);
  });
}

/**
 * GitLab cannot search runners by description, so the scope's own runners are all read: once for all who ask meanwhile,
 * because after an outage every runner that was being made is looked for at the same time.
 */
export async function findRunners(
  gitlab: GitLabCalls,
  lists: SharedReads<readonly ForgeRunner[]>,
  connection: Connection,
  prefix: string,
): Promise<readonly ForgeRunner[]> {
  const { name, url, token, scope } = connection;
  const runners = await lists.read(JSON.stringify([name, url, token, scope]), () =>
    callGitLab(
      gitlab,
      connection,
      "listing runners",
      "listRunners",
      gitlab.limits.callMs,
      (client, attempt) => readRunners(gitlab, client, attempt),
      "background",
    ),
  );
  return runners.filter(({ description }) => description.startsWith(prefix));
}

/** Pauses a runner: it is handed no job any more, whoever holds its token. */
export function pauseRunner(gitlab: GitLabCalls, connection: Connection, runnerId: number): Promise<"paused" | "absent"> {
  return callGitLab(gitlab, connection, `pausing runner ${runnerId}`, "manageRunners", gitlab.limits.callMs, (client, attempt) =>
    unlessAbsent(gitlab, client, attempt, runnerId, async () => {
      await client.runners().edit(runnerId, { paused: true });
      return "paused" as const;
    }),
  );
}

export function deleteRunner(gitlab: GitLabCalls, connection: Connection, runnerId: number): Promise<"deleted" | "absent"> {
  return callGitLab(gitlab, connection, `deleting runner ${runnerId}`, "manageRunners", gitlab.limits.callMs, (client, attempt) =>
    unlessAbsent(gitlab, client, attempt, runnerId, async () => {
      await client.runners().remove({ runnerId });
      return "deleted" as const;
    }),
  );
}

export function unpauseRunner(gitlab: GitLabCalls, connection: Connection, runnerId: number): Promise<"unpaused" | "absent"> {
  return callGitLab(gitlab, connection, `unpausing runner ${runnerId}`, "manageRunners", gitlab.limits.callMs, (client, attempt) =>
    unlessAbsent(gitlab, client, attempt, runnerId, async () => {
      await client.runners().edit(runnerId, { paused: false });
      return "unpaused" as const;
    }),
  );
}

/** The runner as it is now, or undefined when GitLab surely does not have it. */
export async function readRunner(gitlab: GitLabCalls, connection: Connection, runnerId: number): Promise<ForgeRunner | undefined> {
  const what = `reading runner ${runnerId}`;
  const read = await callGitLab(gitlab, connection, what, "listRunners", gitlab.limits.callMs, (client, attempt) =>
    unlessAbsent(gitlab, client, attempt, runnerId, async () => runnerOf(attempt, (await client.get(`runners/${runnerId}`, {})).body)),
  );
  return read === "absent" ? undefined : read;
}

/** The runner's running and canceling jobs. The list of its jobs tells no tags, so each running one is read by itself. */
export function runningJobs(gitlab: GitLabCalls, connection: Connection, runnerId: number): Promise<readonly ForgeJob[]> {
  const what = `reading the jobs of runner ${runnerId}`;
  return callGitLab(gitlab, connection, what, "readJobs", gitlab.limits.callMs, async (client, attempt) => {
    const query = { orderBy: "id", sort: "desc" };
    const listed = await known(readPages(client, attempt, `runners/${runnerId}/jobs`, query, runnerJobPages));
    if (listed === undefined) return [];
    if (!listed.complete) throw tooManyError(attempt, "the runner has had more jobs than are read");
    const running = listed.items.map((item) => runnerJobOf(attempt, item)).filter(({ status }) => isRunning(status));
    const jobs = await Promise.all(running.map(({ projectId, jobId }) => showJob(gitlab, client, attempt, projectId, jobId)));
    return jobs.flatMap((job) => (job !== undefined && isRunning(job.status) ? [{ ...job, runnerId }] : []));
  });
}

async function readRunners({ limits }: GitLabCalls, client: Client, { connection }: Attempt): Promise<readonly ForgeRunner[]> {
  const attempt = { connection, what: "listing runners", needs: needs.listRunners };
  const { type, path } = runnerScope(connection.scope);
  const { items, complete } = await readPages(client, attempt, path, { type }, limits.runnerPages);
  if (!complete) throw tooManyError(attempt, `there are more than ${limits.runnerPages * 100} runners; delete those that nobody needs`);
  return items.map((item) => runnerOf(attempt, item));
}

/**
 * A runner that was deleted is answered 404. One that was taken out of the scope is answered 403, like one that the token
 * has lost the right to; only the scope's list tells these apart.
 */
async function unlessAbsent<T>(
  gitlab: GitLabCalls,
  client: Client,
  attempt: Attempt,
  runnerId: number,
  act: () => Promise<T>,
): Promise<T | "absent"> {
  try {
    return await act();
  } catch (caught) {
    if (isNotFound(caught)) return "absent";
    if (refusedWith(caught) !== 403) throw caught;
    const listed = await readRunners(gitlab, client, attempt).catch(() => undefined);
    if (listed?.every((runner) => runner.runnerId !== runnerId)) return "absent";
    throw caught;
  }
}

function asLimit(caught: unknown): unknown {
  if (!(caught instanceof FireRunnerError) || refusedWith(caught) !== 400 || !limitText.test(caught.message)) return caught;
  return new FireRunnerError("FR-FORGE-RUNNER-LIMIT", `${caught.message}; delete runners that nobody needs, or raise the plan's limit`, {
    retryable: true,
    cause: caught,
    details: caught.details,
  });
}

/** A list that was not read to its end says nothing about what is not in it. */
function tooManyError(attempt: Attempt, what: string): FireRunnerError {
  return new FireRunnerError("FR-FORGE-REJECTED", `${attempted(attempt)}: ${what}`, { details: { connection: attempt.connection.name } });
}

/** Where GitLab keeps the runners of a scope. */
export function runnerScope(scope: Scope) {
  if ("projectId" in scope) {
    return { type: "project_type", path: `projects/${scope.projectId}/runners`, owner: { projectId: scope.projectId } } as const;
  }
  if ("groupId" in scope)
    return { type: "group_type", path: `groups/${scope.groupId}/runners`, owner: { groupId: scope.groupId } } as const;
  return { type: "instance_type", path: "runners/all", owner: {} } as const;
}
