import { z } from "zod";
import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { ProtectedRefs } from "../../model/protected-refs.js";
import type { Client } from "./client.js";
import { type Attempt, attempted, unreadableError } from "./failure.js";
import { callGitLab, type GitLabCalls } from "./gitlab-calls.js";
import { readPages } from "./pages.js";

const namedSchema = z.object({ name: z.string() });

/** A project's protected branches and tags, each list read to its end. */
export function readProtectedRefs(gitlab: GitLabCalls, connection: Connection, projectId: number): Promise<ProtectedRefs> {
  const what = `reading the protected branches and tags of project ${projectId}`;
  return callGitLab(gitlab, connection, what, "readProtectedRefs", gitlab.limits.callMs, async (client, attempt) => {
    const [branches, tags] = await Promise.all(
      ["protected_branches", "protected_tags"].map((list) => readNames(gitlab, client, attempt, `projects/${projectId}/${list}`)),
    );
    return { branches: branches ?? [], tags: tags ?? [] };
  });
}

async function readNames({ limits }: GitLabCalls, client: Client, attempt: Attempt, path: string): Promise<readonly string[]> {
  const { items, complete } = await readPages(client, attempt, path, {}, limits.projectPages);
  if (!complete) {
    const message = `${attempted(attempt)}: there are more than ${limits.projectPages * 100}; protect some of them together by a pattern`;
    throw new FireRunnerError("FR-FORGE-REJECTED", message, { details: { connection: attempt.connection.name } });
  }
  return items.map((item) => {
    const parsed = namedSchema.safeParse(item);
    if (!parsed.success) throw unreadableError(attempt, "protected branches or tags with their names were expected");
    return parsed.data.name;
  });
}
