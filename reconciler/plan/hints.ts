import { type Hint, hintKey } from "../model/front-door.js";
import { isFinished } from "../model/job.js";
import type { Draft } from "./draft.js";

/** How many reads of one forge's jobs are handed out and not answered: enough to last until the next pass. */
const readsPerConnection = 256;
/** A hint that could not be followed for this long is given up: polls look at everything that is still active. */
const hintLifeMs = 3_600_000;
/**
 * A project with more new hints than this, and ten for each page of its jobs, is read as a whole: a page costs both sides about
 * as much as ten jobs that are read by themselves.
 */
const readsBesidePages = 8;
const readsPerPage = 10;
const jobsPerPage = 100;

/** Has every job read that a hint names, and the projects that one names or that have many hints at once. */
export function followHints(draft: Draft): void {
  if (draft.snapshot.hints.length === 0) return;
  const waiting = draft.snapshot.hints.filter((hint) => isToFollow(draft, hint));
  const polled = pollFlooded(draft, waiting);
  const reads = readsUnderWay(draft);
  for (const hint of waiting) {
    const { connection, projectId, jobId } = hint;
    if (jobId === undefined) {
      draft.begin({ kind: "poll", connection, projectId });
      continue;
    }
    if (polled.has(projectKey(hint)) && isNew(draft, hint)) continue;
    const reading = reads.get(connection) ?? 0;
    if (reading >= readsPerConnection) continue;
    if (draft.begin({ kind: "readJob", connection, projectId, jobId })) reads.set(connection, reading + 1);
  }
}

function isToFollow(draft: Draft, hint: Hint): boolean {
  if (!draft.hasHint(hintKey(hint))) return false;
  const { connection, projectId, jobId, firstSeenAt } = hint;
  const known = jobId === undefined ? undefined : draft.jobs.get(`${connection}/${projectId}/${jobId}`);
  const isOld = draft.now - firstSeenAt > hintLifeMs;
  if (draft.connections.has(connection) && !isOld && (known === undefined || !isFinished(known.status))) return true;
  draft.dropHint(hint);
  return false;
}

/** Begins to read the projects that have too many new hints; those that are read right now answer theirs. */
function pollFlooded(draft: Draft, hints: readonly Hint[]): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const hint of hints) {
    if (!isNew(draft, hint) || draft.isInFlight(`readJob:${hintKey(hint)}`)) continue;
    const key = projectKey(hint);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const many = [...counts].filter(([, count]) => count > readsBesidePages + readsPerPage);
  const polled = new Set<string>();
  if (many.length === 0) return polled;
  const active = activeJobs(draft);
  for (const [key, count] of many) {
    const pages = Math.ceil(((active.get(key) ?? 0) + count) / jobsPerPage);
    const isUnderWay = draft.isInFlight(`poll:${key}`);
    if (count <= readsBesidePages + readsPerPage * pages && !isUnderWay) continue;
    const [connection = "", projectId] = key.split("/");
    if (isUnderWay || draft.begin({ kind: "poll", connection, projectId: Number(projectId) })) polled.add(key);
  }
  return polled;
}

/** Whether nobody has read the hint's project as a whole since a webhook told of it. */
function isNew(draft: Draft, { connection, projectId, jobId, firstSeenAt, hookedAt }: Hint): boolean {
  const polledAt = draft.connections.get(connection)?.projectsPolledAt.get(projectId);
  return jobId !== undefined && (polledAt === undefined || (hookedAt ?? firstSeenAt) > polledAt);
}

function activeJobs(draft: Draft): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const job of draft.jobs.values()) {
    if (!isFinished(job.status)) counts.set(projectKey(job), (counts.get(projectKey(job)) ?? 0) + 1);
  }
  return counts;
}

const projectKey = ({ connection, projectId }: Pick<Hint, "connection" | "projectId">): string => `${connection}/${projectId}`;

function readsUnderWay(draft: Draft): Map<string, number> {
  const reads = new Map<string, number>();
  for (const [key, state] of draft.snapshot.effects) {
    if (state.state !== "in-flight" || !key.startsWith("readJob:")) continue;
    const connection = key.slice("readJob:".length, key.indexOf("/"));
    reads.set(connection, (reads.get(connection) ?? 0) + 1);
  }
  return reads;
}
