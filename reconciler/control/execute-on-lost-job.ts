import type { ForgeJob } from "../forge/port.js";
import { conditionKey } from "../model/condition.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import { isRunning, type Job, jobKey } from "../model/job.js";
import type { VmLoss } from "../model/vm-loss.js";
import type { Effect } from "../plan/effect.js";
import { type Execution, type ExecutionContext, needed } from "./execution.js";
import { learn } from "./learn-job.js";

type LostJobEffect = Extract<Effect, { readonly kind: "confirmLoss" | "cancelJob" | "retryJob" }>;

/** Does what is to be done about a job whose microVM was lost, and writes down what the forge said to it. */
export async function executeOnLostJob(effect: LostJobEffect, context: ExecutionContext): Promise<Execution> {
  const { store } = context.ports;
  const connection = needed(store.get("connection", effect.connection), `connection "${effect.connection}"`);
  const job = store.get("job", jobKey(effect))?.value;
  if (job?.vmLoss === undefined) return "done";
  switch (effect.kind) {
    case "confirmLoss":
      return confirm(connection, job, context);
    case "cancelJob":
      return cancel(connection, job, effect.force, context);
    case "retryJob":
      return retry(connection, job, context);
  }
}

/** The forge is asked after the loss: a job that ended before was not lost with its microVM. */
async function confirm(connection: Connection, job: Job, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const confirmedAt = ports.clock.now();
  const read = await ports.forge.readJob(connection, job.projectId, job.jobId);
  if (!(await learnOrForget(connection, job, read, confirmedAt, context)) || read === undefined) return "done";
  const isTheirs = read.runnerId === undefined || job.runnerId === undefined || read.runnerId === job.runnerId;
  if (!isRunning(read.status) || !isTheirs) {
    await writes.update("job", jobKey(job), (current) => {
      if (current?.vmLoss === undefined) return undefined;
      const { vmLoss: _vmLoss, ...rest } = current;
      return rest;
    });
    return "done";
  }
  const { code, message, policy } = job.vmLoss ?? {};
  await changeLoss(job, context, (loss) => ({ ...loss, confirmedAt, ...(read.url === undefined ? {} : { url: read.url }) }), [
    "JobLost",
    `its microVM "${job.vm}" was lost (${code}: ${message}) while the forge says that it runs: ${read.url ?? job.name}; the pool's onVmLoss is "${policy}"`,
  ]);
  return "done";
}

async function cancel(connection: Connection, job: Job, force: boolean, context: ExecutionContext): Promise<Execution> {
  if (!isRunning(job.status)) return "done";
  const askedAt = context.ports.clock.now();
  const asked = await unlessRefused(connection, job, context, () =>
    context.ports.forge.cancelJob(connection, job.projectId, job.jobId, force),
  );
  if (asked === "refused" || !(await learnOrForget(connection, job, asked, askedAt, context))) return "done";
  await settleRefusal(connection, context);
  if (asked === undefined || !isRunning(asked.status)) return "done";
  if (!force) return asked.status === "canceling" ? "done" : "again";
  const message = "the forge does not cancel it by force; it gives it up by itself when its runner was not heard for about an hour";
  await giveUp(job, context, { code: "FR-FORGE-REJECTED", message });
  return "done";
}

async function retry(connection: Connection, job: Job, context: ExecutionContext): Promise<Execution> {
  const { projectId, jobId, name, pipelineId } = job;
  if (pipelineId === undefined) return "done";
  const askedAt = context.ports.clock.now();
  const made = await unlessRefused(connection, job, context, () =>
    context.ports.forge.retryJob(connection, { projectId, jobId, name, pipelineId }),
  );
  if (made === "refused") return "done";
  if (made === undefined) {
    await giveUp(job, context, { code: "FR-FORGE-NOT-FOUND", message: "the forge does not know it any more" });
    return "done";
  }
  await settleRefusal(connection, context);
  await learn(connection, made, askedAt, context);
  const message = `its microVM was lost: it is retried, as job ${made.jobId}${made.url === undefined ? "" : ` (${made.url})`}`;
  await changeLoss(job, context, (loss) => ({ ...loss, retriedAs: made.jobId }), ["JobRetried", message]);
  return "done";
}

/** False when the forge does not know the job: then neither does anybody here. */
async function learnOrForget(
  connection: Connection,
  job: Job,
  read: ForgeJob | undefined,
  readAt: number,
  context: ExecutionContext,
): Promise<boolean> {
  if (read !== undefined) await learn(connection, read, readAt, context);
  else await context.writes.update("job", jobKey(job), (current) => (current === undefined ? undefined : null));
  return read !== undefined;
}

async function changeLoss(
  job: Job,
  { ports, writes }: ExecutionContext,
  change: (loss: VmLoss) => VmLoss,
  [type, message]: readonly [string, string],
): Promise<void> {
  const subject = { kind: "job", name: jobKey(job) };
  await writes.update(
    "job",
    jobKey(job),
    (current) => (current?.vmLoss === undefined ? undefined : { ...current, vmLoss: change(current.vmLoss) }),
    [{ at: ports.clock.now(), type, subject, message, traceId: job.traceId }],
  );
}

/**
 * A refusal is for good: it is written down, at the connection too, and the job is left to the forge. A token that is
 * wrong altogether, or a forge that is not to be reached, is somebody's to mend: the call is made again later.
 */
async function unlessRefused<T>(
  connection: Connection,
  job: Job,
  context: ExecutionContext,
  call: () => Promise<T>,
): Promise<T | "refused"> {
  try {
    return await call();
  } catch (caught) {
    if (!(caught instanceof FireRunnerError) || caught.retryable || caught.details.status === 401 || caught.code === "FR-INTERNAL")
      throw caught;
    const { code, message } = caught;
    await giveUp(job, context, { code, message });
    const subject = { kind: "connection", name: connection.name };
    const observedAt = context.ports.clock.now();
    const condition = { subject, type: endsLostJobs, status: false, reason: code, message, observedAt, count: 0 };
    await context.writes.update("condition", conditionKey(condition), (known) => (known?.message === message ? undefined : condition));
    return "refused";
  }
}

/** The condition of a connection whose forge refused to cancel or retry the job of a lost microVM. */
const endsLostJobs = "EndsLostJobs";

async function settleRefusal({ name }: Connection, { writes }: ExecutionContext): Promise<void> {
  const key = conditionKey({ subject: { kind: "connection", name }, type: endsLostJobs });
  await writes.update("condition", key, (known) => (known === undefined ? undefined : null));
}

function giveUp(job: Job, context: ExecutionContext, givenUp: NonNullable<VmLoss["givenUp"]>): Promise<void> {
  const message = `it is left to the forge: ${givenUp.code}: ${givenUp.message}`;
  return changeLoss(job, context, (loss) => ({ ...loss, givenUp }), ["LostJobLeft", message]);
}
