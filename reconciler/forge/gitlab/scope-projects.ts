import type { Clock } from "../../model/clock.js";
import type { Connection } from "../../model/connection.js";
import { projectIdOf } from "./answers.js";
import type { Client } from "./client.js";
import type { Attempt } from "./failure.js";
import type { ForgeLimits } from "./limits.js";
import { readPages } from "./pages.js";

/** Which projects a group or instance has, and whose turn it is to be read. */
export interface ScopeProjects {
  /** The projects to read now: those that were tried longest ago, the most active first. */
  next(client: Client, attempt: Attempt): Promise<readonly number[]>;
  /** Notes that something was told of a project: it is read with the others from the next call on, until they are found anew. */
  noted(connection: Connection, projectId: number): void;
  /** Notes that a project was read, or that it was tried in vain. */
  tried(connection: Connection, projectId: number): void;
}

interface Found {
  readonly at: number;
  readonly projectIds: Set<number>;
  readonly triedAt: Map<number, number>;
}

/** So many projects may be told of besides those that are listed. */
const maxTold = 1_000;

type Limits = Pick<ForgeLimits, "projectPages" | "projectsMs" | "projectsPerCall">;

/**
 * Remembers each scope's projects for a while: they are found on a slow tick, and one of which a webhook tells is
 * among them at once. Of scopes with more projects than are listed, the most recently active are known.
 */
export function createScopeProjects(clock: Clock, limits: Limits): ScopeProjects {
  const scopes = new Map<string, Found>();

  async function find(client: Client, attempt: Attempt): Promise<Found> {
    const key = keyOf(attempt.connection);
    const known = scopes.get(key);
    if (known !== undefined && clock.now() - known.at < limits.projectsMs) return known;
    const { scope } = attempt.connection;
    const query = { archived: false, simple: true, orderBy: "last_activity_at", sort: "desc" };
    const { items } = await ("groupId" in scope
      ? readPages(
          client,
          attempt,
          `groups/${scope.groupId}/projects`,
          { ...query, includeSubgroups: true, withShared: false },
          limits.projectPages,
        )
      : readPages(client, attempt, "projects", query, limits.projectPages));
    const projectIds = new Set(items.map((item) => projectIdOf(attempt, item)));
    const triedAt = new Map([...projectIds].flatMap((id) => pair(id, known?.triedAt.get(id))));
    const found = { at: clock.now(), projectIds, triedAt };
    forgetOld();
    scopes.set(key, found);
    return found;
  }

  /** Connections come and go; what was not asked for in a long time belongs to none. */
  function forgetOld(): void {
    for (const [key, { at }] of scopes) if (clock.now() - at > 10 * limits.projectsMs) scopes.delete(key);
  }

  return {
    async next(client, attempt) {
      const { projectIds, triedAt } = await find(client, attempt);
      const longestAgo = [...projectIds].sort((a, b) => (triedAt.get(a) ?? 0) - (triedAt.get(b) ?? 0));
      return longestAgo.slice(0, limits.projectsPerCall);
    },
    noted(connection, projectId) {
      if ("projectId" in connection.scope) return;
      const known = scopes.get(keyOf(connection));
      if (known !== undefined && known.projectIds.size < limits.projectPages * 100 + maxTold) known.projectIds.add(projectId);
    },
    tried(connection, projectId) {
      scopes.get(keyOf(connection))?.triedAt.set(projectId, clock.now());
    },
  };
}

const keyOf = ({ name, url, scope }: Connection): string => JSON.stringify([name, url, scope]);

const pair = (id: number, at: number | undefined): readonly (readonly [number, number])[] => (at === undefined ? [] : [[id, at]]);
