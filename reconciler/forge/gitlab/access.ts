import { z } from "zod";
import type { Connection } from "../../model/connection.js";
import type { AccessCheck } from "../port.js";
import { timeOf } from "./answers.js";
import type { Client } from "./client.js";
import { type Attempt, unreadableError } from "./failure.js";
import { callGitLab, type GitLabCalls, isNotFound, needs, refusedWith } from "./gitlab-calls.js";
import { runnerScope } from "./runner-calls.js";

const tokenSchema = z.object({
  scopes: z.array(z.string()),
  active: z.boolean().nullish().catch(undefined),
  revoked: z.boolean().nullish().catch(undefined),
  expires_at: z.unknown().optional(),
});

/** What `api` alone would give as well, and what it is for. */
const scopes = [
  ["create_runner", "making runners"],
  ["manage_runner", "pausing and deleting runners"],
  ["read_api", "reading jobs and listing runners"],
] as const;
/** No lesser scope gives this. */
const endingJobs = "the scope api, for cancelling and retrying jobs whose microVM is lost (onVmLoss)";

/**
 * Asks GitLab for the token's scopes, and tries the one reading call that needs the role: the list of the scope's runners.
 * Tokens of other kinds and older versions do not tell their scopes: then only what the list shows is known.
 */
export function checkAccess(gitlab: GitLabCalls, connection: Connection, endsJobs: boolean): Promise<AccessCheck> {
  return callGitLab(
    gitlab,
    connection,
    "checking the token",
    "listRunners",
    gitlab.limits.callMs,
    async (client, attempt) => {
      const told = await readToken(client, attempt, endsJobs);
      const role = await missingRole(client, connection);
      const missing = [...(told?.missing ?? []), ...(role === undefined ? [] : [role])];
      const expires = told?.expiresAt === undefined ? {} : { expiresAt: told.expiresAt };
      if (missing.length > 0) return { ok: false, missing, ...expires };
      return { ok: told === undefined ? "unknown" : true, missing, ...expires };
    },
    "background",
  );
}

async function readToken(client: Client, attempt: Attempt, endsJobs: boolean) {
  let body: unknown;
  try {
    ({ body } = await client.get("personal_access_tokens/self", {}));
  } catch (caught) {
    const status = refusedWith(caught);
    // A wrong token is refused for the list of runners as well, and told of there.
    if (status === 401 || status === 403 || status === 404) return undefined;
    throw caught;
  }
  const parsed = tokenSchema.safeParse(body);
  if (!parsed.success) throw unreadableError(attempt, "a token's scopes were expected");
  const { scopes: has, active, revoked, expires_at: expiresAt } = parsed.data;
  const ended = active === false || revoked === true ? ["a token that is active: this one was revoked or has expired"] : [];
  const lesser = scopes.filter(([scope]) => !has.includes(scope)).map(([scope, use]) => `the scope ${scope}, for ${use}`);
  const lacking = has.includes("api") ? [] : [...lesser, ...(endsJobs ? [endingJobs] : [])];
  return { missing: [...ended, ...lacking], expiresAt: timeOf(expiresAt) };
}

async function missingRole(client: Client, { scope }: Connection): Promise<string | undefined> {
  const { type, path } = runnerScope(scope);
  try {
    await client.get(path, { type, perPage: 1 });
    return undefined;
  } catch (caught) {
    if (refusedWith(caught) === 403) return `${needs.listRunners}, for listing runners`;
    if (isNotFound(caught)) return `the sight of the connection's scope, for everything: it does not exist, or the token may not see it`;
    throw caught;
  }
}
