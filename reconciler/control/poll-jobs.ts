import type { Connection } from "../model/connection.js";
import { hintKey } from "../model/front-door.js";
import { isFinished } from "../model/job.js";
import type { Effect } from "../plan/effect.js";
import type { Execution, ExecutionContext } from "./execution.js";
import { followed, learn } from "./learn-job.js";

/** Reads the waiting and running jobs of one project or of the connection's scope, and has what is missing among them looked at. */
export async function poll(
  connection: Connection,
  effect: Extract<Effect, { kind: "poll" }>,
  context: ExecutionContext,
): Promise<Execution> {
  const { ports, soft, writes } = context;
  const key = effect.projectId === undefined ? undefined : hintKey({ connection: connection.name, projectId: effect.projectId });
  const hintRevision = key === undefined ? undefined : ports.store.get("hint", key)?.revision;
  const readAt = ports.clock.now();
  const { jobs, projectIds } = await ports.forge.activeJobs(connection, effect.projectId);
  await Promise.all(jobs.map((job) => learn(connection, job, readAt, context)));
  const active = new Set(jobs.map((job) => `${job.projectId}/${job.jobId}`));
  const read = new Set(projectIds);
  // What was waiting or running and is not named any more changed meanwhile: it is looked at one by one.
  const missing = ports.store.list("job").filter(({ value: job }) => {
    if (job.connection !== connection.name || isFinished(job.status) || job.readAt >= readAt) return false;
    return read.has(job.projectId) && !active.has(`${job.projectId}/${job.jobId}`);
  });
  const hints = missing.map(({ key: job, value: { projectId, jobId } }) =>
    writes.update("hint", job, (known) =>
      known === undefined ? { connection: connection.name, projectId, jobId, firstSeenAt: readAt } : undefined,
    ),
  );
  await Promise.all(hints);
  if (key !== undefined) await followed(key, hintRevision, context);
  const now = ports.clock.now();
  soft.noteForgeRead(connection.name, effect.projectId === undefined ? { readAt: now, polledAt: readAt } : { readAt: now });
  return "done";
}
