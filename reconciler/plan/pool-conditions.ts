import { type Condition, conditionKey } from "../model/condition.js";
import type { Connection } from "../model/connection.js";
import type { Pool } from "../model/pool.js";
import { classOf } from "../model/runner-class.js";
import type { Draft } from "./draft.js";

const subjectOf = (pool: string): Pick<Condition, "subject" | "type"> => ({ subject: { kind: "pool", name: pool }, type: "Overlaps" });

/**
 * Tells of pools whose jobs also fit one that was declared before: that one gets them, and runners of either may take jobs
 * that were meant for the other.
 */
export function judgePools(draft: Draft): void {
  const before: Pool[] = [];
  for (const { spec } of draft.snapshot.pools) {
    const connection = draft.connections.get(spec.connection)?.spec;
    const overlaps = connection === undefined ? [] : before.flatMap((other) => overlap(other, spec, connection) ?? []);
    before.push(spec);
    const key = conditionKey(subjectOf(spec.name));
    const known = draft.conditions.get(key);
    const message = overlaps.join("; ");
    if (overlaps.length === 0 && known !== undefined) draft.dropCondition(key);
    if (overlaps.length === 0 || known?.message === message) continue;
    draft.putCondition({ ...subjectOf(spec.name), status: true, reason: "FirstDeclaredWins", message, observedAt: draft.now, count: 0 });
  }
}

/** Which of a pool's jobs an earlier one gets, in words. */
function overlap(earlier: Pool, pool: Pool, connection: Connection): string | undefined {
  if (earlier.connection !== pool.connection) return undefined;
  const mayShare = (earlier.runUntagged && pool.runUntagged) || earlier.tags.some((tag) => pool.tags.includes(tag));
  if (!mayShare) return undefined;
  const projectId = sharedProject(earlier, pool, connection);
  if (projectId === undefined) return undefined;
  const fits = (tags: readonly string[]) =>
    [earlier, pool].every((each) => classOf(each, connection, { projectId, tags, protected: true }) !== undefined);
  const tags = [pool.tags, earlier.tags].find((each) => each.length > 0 && fits(each));
  if (tags === undefined && !fits([])) return undefined;
  const which = tags === undefined ? "jobs without tags" : `jobs with the tags ${tags.join(", ")}`;
  const refs = earlier.accessLevel === "ref_protected" || pool.accessLevel === "ref_protected" ? " of protected refs" : "";
  return `${which}${refs} also fit pool "${earlier.name}", which was declared before and gets them`;
}

/** A project whose jobs both may take; where neither names any, one is like the other. */
function sharedProject(a: Pool, b: Pool, { scope }: Connection): number | undefined {
  const named = (a.projectIds ?? b.projectIds)?.filter((id) => b.projectIds?.includes(id) ?? true);
  const some = named ?? ["projectId" in scope ? scope.projectId : 1];
  return "projectId" in scope ? some.find((id) => id === scope.projectId) : some[0];
}
