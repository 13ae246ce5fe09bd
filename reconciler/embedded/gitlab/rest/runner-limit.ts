import type { Scope } from "../../../model/connection.js";
import { badRequest } from "../http/refusal.js";
import type { RunnerType } from "../records/runner.js";
import type { World } from "../world.js";

const weekMs = 7 * 86_400_000;
const maxRunners = 10_000;

/**
 * The plan's limit: runners that were made or heard within a week count, for each project and group by itself. Throws
 * GitLab's refusal, which speaks of the model that is at its limit. Instance runners have no limit in GitLab.
 */
export function checkLimit(world: World, type: RunnerType, scope: Scope): void {
  const since = world.clock.now() - weekMs;
  const same = JSON.stringify(scope);
  const all = world.runners.all();
  const counted = all.filter(
    (runner) => JSON.stringify(runner.scope) === same && Math.max(runner.createdAt, runner.contactedAt ?? 0) > since,
  );
  const { runnerLimit } = world.dials();
  const { project, group } = typeof runnerLimit === "number" ? { project: runnerLimit, group: runnerLimit } : runnerLimit;
  const allowed = type === "instance_type" ? maxRunners : type === "group_type" ? group : project;
  if (counted.length < allowed && all.length < maxRunners) return;
  const [of, what] = type === "group_type" ? ["Runner namespaces base", "group"] : ["Runner projects base", "project"];
  throw badRequest(`400 Bad request - ${of} Maximum number of ci registered ${what} runners (${allowed}) exceeded`);
}
