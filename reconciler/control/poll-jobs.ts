import type { ActiveJobs, ForgeJob } from "../forge/port.js";
import { conditionKey } from "../model/condition.js";
import type { Connection } from "../model/connection.js";
import { hintKey } from "../model/front-door.js";
import { isFinished, jobKey } from "../model/job.js";
import type { Effect } from "../plan/effect.js";
import type { Execution, ExecutionContext } from "./execution.js";
import { followed, learn } from "./learn-job.js";

type Poll = Extract<Effect, { kind: "poll" }>;

/** A webhook may be so late without being lost. */
const lateHookMs = 5_000;
/** A project that polls still do not come to after so long is not in the scope any more, or the scope is large: it is read by itself again. */
const missedForMs = 600_000;
/** How often hints that were answered are removed together, when others are given meanwhile. */
const tries = 4;
/** So many projects are named in a condition. */
const maxNamed = 5;

/**
 * Reads the waiting and running jobs of one project or of the connection's scope, answers the hints at those that are shown,
 * and has what is missing among them looked at.
 */
export async function poll(connection: Connection, effect: Poll, context: ExecutionContext): Promise<Execution> {
  const { ports, soft, writes } = context;
  const key = effect.projectId === undefined ? undefined : hintKey({ connection: connection.name, projectId: effect.projectId });
  const hintRevision = key === undefined ? undefined : ports.store.get("hint", key)?.revision;
  const hinted = hintsBefore(connection, effect, context);
  const readAt = ports.clock.now();
  const read = await ports.forge.activeJobs(connection, effect.projectId);
  const isFirst = soft.forgeReads(connection.name).polledAt === undefined;
  if (effect.projectId === undefined && !isFirst) noteNews(connection, read.jobs, readAt, context);
  await Promise.all(read.jobs.map((job) => learn(connection, job, readAt, context)));
  await dropAnswered(connection, read.jobs, hinted, context);
  await hintAtMissing(connection, read, readAt, context);
  if (effect.projectId === undefined) await hintAtMissed(connection, read, readAt, context);
  const removal = key === undefined ? [] : followed(key, hintRevision, context);
  if (removal.length > 0) await writes.commit({ writes: removal });
  await noteUnread(connection, read, context);
  const now = ports.clock.now();
  if (effect.projectId === undefined) soft.noteForgeRead(connection.name, { readAt: now, polledAt: readAt });
  else {
    soft.noteForgeRead(connection.name, { readAt: now });
    soft.polls.noteProjectPolled(connection.name, effect.projectId, readAt);
  }
  return "done";
}

/** The hints that the forge is asked about with this poll, by their keys. */
function hintsBefore(connection: Connection, effect: Poll, { ports }: ExecutionContext): ReadonlyMap<string, number> {
  const prefix = effect.projectId === undefined ? `${connection.name}/` : `${connection.name}/${effect.projectId}/`;
  const hints = ports.store.list("hint").filter(({ key, value }) => value.jobId !== undefined && key.startsWith(prefix));
  return new Map(hints.map(({ key, revision }) => [key, revision]));
}

/** Removes the hints at jobs that were shown, unless a webhook came again meanwhile: then what was read may be older than it. */
async function dropAnswered(
  { name }: Connection,
  jobs: readonly ForgeJob[],
  hinted: ReadonlyMap<string, number>,
  { ports, writes }: ExecutionContext,
): Promise<void> {
  if (hinted.size === 0) return;
  const answered = jobs.map(({ projectId, jobId }) => hintKey({ connection: name, projectId, jobId })).filter((key) => hinted.has(key));
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const removals = answered.flatMap((key) => {
      const revision = ports.store.get("hint", key)?.revision;
      return revision !== undefined && revision === hinted.get(key) ? [{ kind: "hint", key, value: null, expect: revision } as const] : [];
    });
    if (removals.length === 0 || (await writes.commit({ writes: removals })).outcome !== "conflict") return;
  }
}

/** What was waiting or running and is not named any more changed meanwhile: it is looked at one by one. */
async function hintAtMissing(
  { name }: Connection,
  { jobs, projectIds }: ActiveJobs,
  readAt: number,
  { ports, writes }: ExecutionContext,
): Promise<void> {
  const active = new Set(jobs.map((job) => `${job.projectId}/${job.jobId}`));
  const read = new Set(projectIds);
  const missing = ports.store.list("job").filter(({ value: job }) => {
    if (job.connection !== name || isFinished(job.status) || job.readAt >= readAt) return false;
    return read.has(job.projectId) && !active.has(`${job.projectId}/${job.jobId}`);
  });
  const hints = missing.map(({ key, value: { projectId, jobId } }) =>
    writes.update("hint", key, (known) => (known === undefined ? { connection: name, projectId, jobId, firstSeenAt: readAt } : undefined)),
  );
  await Promise.all(hints);
}

/** Jobs of a project that was deleted, or left the scope, would be waited for without end: nobody tells of them any more. */
async function hintAtMissed(
  { name }: Connection,
  { projectIds, unread }: ActiveJobs,
  readAt: number,
  { ports, soft, writes }: ExecutionContext,
): Promise<void> {
  const named = new Set([...projectIds, ...unread.map(({ projectId }) => projectId)]);
  const active = ports.store.list("job").filter(({ value: job }) => job.connection === name && !isFinished(job.status));
  const missed = new Set(active.flatMap(({ value: { projectId } }) => (named.has(projectId) ? [] : [projectId])));
  for (const projectId of soft.polls.missedFor(name, missed, readAt, missedForMs)) {
    const hint = { connection: name, projectId, firstSeenAt: readAt };
    await writes.update("hint", hintKey(hint), (known) => (known === undefined ? hint : undefined));
  }
}

/** Jobs that a poll is the first to tell of, although they have waited or run for so long that a webhook should have. */
function noteNews({ name }: Connection, jobs: readonly ForgeJob[], readAt: number, { ports, soft }: ExecutionContext): void {
  const news = jobs.filter((job) => {
    const key = jobKey({ connection: name, projectId: job.projectId, jobId: job.jobId });
    if (ports.store.get("hint", key) !== undefined) return false;
    const known = ports.store.get("job", key)?.value;
    const isNew = job.status === "pending" ? known === undefined : job.status === "running" && known?.status === "pending";
    const since = job.status === "pending" ? (job.queuedAt ?? job.createdAt) : job.startedAt;
    return isNew && since !== undefined && readAt - since > lateHookMs;
  });
  if (news.length === 0) return;
  soft.polls.noteNewsByPoll(name, readAt);
  ports.observer.foundByPolling(name, news.length);
}

/** Projects whose jobs cannot be read, or not all of them, are told of; they do not keep the others from being read. */
async function noteUnread(
  connection: Connection,
  { projectIds, unread }: ActiveJobs,
  { ports, soft, writes }: ExecutionContext,
): Promise<void> {
  const now = ports.clock.now();
  for (const projectId of projectIds) soft.polls.noteRead(connection.name, projectId);
  for (const { projectId, why } of unread) soft.polls.noteUnread(connection.name, projectId, why, now);
  const all = soft.polls.unreadProjects(connection.name);
  const subject = { kind: "connection", name: connection.name };
  const named = all.slice(0, maxNamed).map(({ projectId, why }) => `${projectId} (${why})`);
  const message = `not all jobs are known of ${all.length} of its projects: ${named.join("; ")}${all.length > maxNamed ? "; …" : ""}`;
  await writes.update("condition", conditionKey({ subject, type: "ProjectsUnread" }), (known) => {
    if (all.length === 0) return known === undefined ? undefined : null;
    if (known?.message === message) return undefined;
    return { subject, type: "ProjectsUnread", status: true, reason: "NotRead", message, observedAt: now, count: 0 };
  });
}
