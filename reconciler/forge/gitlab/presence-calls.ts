import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { RunnerHeard } from "../port.js";
import type { CallBounds } from "./calls.js";
import type { HttpAnswer } from "./exchange.js";
import { type Attempt, attempted, unreadableError } from "./failure.js";
import { type GitLabCalls, refusedWith } from "./gitlab-calls.js";
import { type Sender, send } from "./send.js";

/** How the runners of microVMs write theirs; GitLab keeps one manager for each that it has seen. */
const systemId = "r_firerunnerPr";

/**
 * Asks GitLab for a job with a paused runner's token.
 *
 * GitLab's rule, as its source has it: `POST /jobs/request` authenticates the runner, which notes the contact
 * (`authenticate_runner!` in `lib/api/ci/helpers/runner.rb`, `Ci::Runner#heartbeat`), and only then answers 204 to one that
 * is paused (`lib/api/ci/runner.rb`, later `Ci::Helpers::JobRequest`). A job is not stuck while a runner of its project
 * matches it, is not paused, and is online: its contact is younger than two hours (`Ci::Runner#match_build_if_online?`,
 * `ONLINE_CONTACT_TIMEOUT`). The contact that this looks at is written down when the one before is older than 40 to 55
 * minutes, by chance (`UPDATE_CONTACT_COLUMN_EVERY`): with a request every 45 minutes it is never older than 90.
 * Without `last_update` Workhorse does not hold the request either.
 */
export async function showRunner(gitlab: GitLabCalls, sender: Sender, connection: Connection, runnerToken: string): Promise<RunnerHeard> {
  const attempt = { connection, what: "asking for a job as a presence runner", needs: "a runner that exists" };
  return gitlab.calls.run(attempted(attempt), gitlab.limits.callMs, async (bounds) => {
    const ask = { token: runnerToken, system_id: systemId, info: { name: "firerunner" } };
    const answer = await absentWhenUnknown(runnerRequest(gitlab, sender, attempt, bounds, "POST", "jobs/request", runnerToken, ask));
    if (answer === undefined) return { state: "absent" };
    if (answer.status === 204) return { state: "heard" };
    const job = givenJob(attempt, answer);
    return { state: "given", jobId: job.id, ended: await endJob(gitlab, sender, attempt, bounds, job) };
  });
}

/** Fails a job as a runner that cannot run it would: then the job's own `retry` may begin it again. */
async function endJob(
  gitlab: GitLabCalls,
  sender: Sender,
  attempt: Attempt,
  bounds: CallBounds,
  { id, token }: { readonly id: number; readonly token: string },
): Promise<boolean> {
  const told = { token, state: "failed", failure_reason: "runner_system_failure" };
  try {
    await runnerRequest(gitlab, sender, { ...attempt, what: `failing job ${id}` }, bounds, "PUT", `jobs/${id}`, token, told);
    return true;
  } catch (caught) {
    if (caught instanceof FireRunnerError) return false;
    throw caught;
  }
}

/** A request that carries a runner's or a job's token, and not the connection's. */
function runnerRequest(
  { limits }: GitLabCalls,
  sender: Sender,
  attempt: Attempt,
  bounds: CallBounds,
  method: "POST" | "PUT",
  path: string,
  token: string,
  body: Readonly<Record<string, unknown>>,
): Promise<HttpAnswer> {
  const request = {
    method,
    url: `${attempt.connection.url}/api/v4/${path}`,
    headers: { accept: "application/json", "content-type": "application/json", "user-agent": "firerunner" },
    body: JSON.stringify(body),
  };
  const answerBounds = { timeoutMs: limits.requestMs, maxBytes: limits.maxAnswerBytes, larger: "refuse" } as const;
  return send({ ...sender, resolveSecret: () => token }, attempt, request, answerBounds, bounds);
}

/** GitLab answers 403 to the token of a runner that is no more. */
async function absentWhenUnknown(asking: Promise<HttpAnswer>): Promise<HttpAnswer | undefined> {
  try {
    return await asking;
  } catch (caught) {
    if (refusedWith(caught) === 403) return undefined;
    throw caught;
  }
}

function givenJob(attempt: Attempt, { text }: HttpAnswer): { readonly id: number; readonly token: string } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw unreadableError(attempt, "its JSON is broken");
  }
  const { id, token } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  if (typeof id === "number" && typeof token === "string") return { id, token };
  throw unreadableError(attempt, "a job with its id and token was expected");
}
