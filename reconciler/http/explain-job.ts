import { isFinished, isRunning, type Job, jobKey } from "../model/job.js";
import { isLeaving } from "../model/microvm.js";
import { mismatch } from "../model/mismatch.js";
import { sizeOf } from "../model/size-tag.js";
import { protectionOf } from "../plan/protection.js";
import type { Store } from "../store/port.js";
import { explainHosts } from "./explain-hosts.js";
import { type JobStep, jobSteps } from "./job-steps.js";
import type { LoopView } from "./loop-view.js";
import { operationsOf } from "./operations.js";

/** Why a job waits, or where it runs or ran, in words for people. */
export interface JobExplanation {
  readonly key: string;
  readonly status: Job["status"];
  readonly summary: string;
  /** The documented code of what it waits for. */
  readonly code?: string;
  /** What the summary comes of, from the forge to the hosts. */
  readonly facts: readonly string[];
  readonly steps: readonly JobStep[];
}

export interface ExplainFrom {
  readonly store: Pick<Store, "get" | "list">;
  readonly loop: LoopView;
  readonly now: number;
}

/** Explains a job from the records of this moment, and from what the loop sees where this process leads. */
export function explainJob(from: ExplainFrom, job: Job): JobExplanation {
  const base = { key: jobKey(job), status: job.status, steps: jobSteps(job) };
  if (job.status !== "pending") return { ...base, summary: summaryOf(job), facts: factsOfRun(from, job) };
  const { waitingReason } = job;
  return {
    ...base,
    summary: waitingReason === undefined ? "it waits, and was not decided about yet" : `it waits: ${waitingReason.message}`,
    ...(waitingReason === undefined ? {} : { code: waitingReason.code }),
    facts: [...factsOfConnection(from, job), ...factsOfPool(from, job)],
  };
}

function summaryOf({ status, vm, host }: Job): string {
  const where = vm === undefined ? undefined : `microVM "${vm}"${host === undefined ? "" : ` of host "${host}"`}`;
  if (isRunning(status)) return where === undefined ? "it runs, on no microVM that is known here" : `it runs on ${where}`;
  if (isFinished(status))
    return where === undefined ? `it ended (${status}) without a microVM of this service` : `it ran on ${where}: ${status}`;
  return `the forge says "${status}": it does not ask for a runner`;
}

function factsOfRun({ store }: ExplainFrom, job: Job): readonly string[] {
  const vm = job.vm === undefined ? undefined : store.get("microvm", job.vm)?.value;
  return [
    ...(job.pool === undefined ? [] : [`it was served by pool "${job.pool}", size "${job.size ?? "unknown"}"`]),
    ...factsOfLoss(job),
    ...(vm === undefined ? [] : [`its microVM is ${vm.phase}`]),
    ...(vm?.failure === undefined ? [] : [`its microVM failed: ${vm.failure.message} (${vm.failure.code})`]),
  ];
}

/** That its microVM was lost, and what was done about it. */
function factsOfLoss({ vmLoss: loss }: Job): readonly string[] {
  if (loss?.confirmedAt === undefined) return [];
  const { code, message, url, policy, cancelAskedAt, retriedAs, givenUp } = loss;
  return [
    `its microVM was lost while it ran: ${message} (${code})${url === undefined ? "" : `; ${url}`}`,
    ...(policy === "report" ? ["its pool's onVmLoss is report: the forge gives it up by itself, within about an hour"] : []),
    ...(cancelAskedAt === undefined ? [] : [`the forge was asked to cancel it, as its pool's onVmLoss is ${policy}`]),
    ...(retriedAs === undefined ? [] : [`it was retried, as job ${retriedAs}`]),
    ...(givenUp === undefined ? [] : [`it was left to the forge: ${givenUp.message} (${givenUp.code})`]),
  ];
}

function factsOfConnection({ store, loop, now }: ExplainFrom, job: Job): readonly string[] {
  if (store.get("connection", job.connection) === undefined) return [`connection "${job.connection}" is no longer declared`];
  const seen = loop.look();
  if (seen === undefined) return ["this process does not lead: what hosts and forges answered is known to the one that does"];
  const answer = loop.lastAnswer(`connection/${job.connection}`);
  const readAt = seen.connections.find(({ spec }) => spec.name === job.connection)?.readAt;
  const read = readAt === undefined ? "was not read yet" : `was read ${Math.round((now - readAt) / 1000)} s ago`;
  return [`connection "${job.connection}" ${read}${answer?.ok === false ? `, and answers with ${answer.message}` : ""}`];
}

function factsOfPool(from: ExplainFrom, job: Job): readonly string[] {
  const { store, now } = from;
  const pool = job.pool === undefined ? undefined : store.get("pool", job.pool)?.value.spec;
  const size = pool === undefined || job.size === undefined ? undefined : sizeOf(pool, job.size);
  if (pool === undefined || size === undefined) return whyNoPool(from, job);
  const own = store.list("microvm").filter(({ value }) => value.pool === pool.name);
  const leaving = own.filter(({ value }) => isLeaving(value)).length;
  const ahead = store.list("job").filter(({ value: other }) => isAhead(other, job)).length;
  const told = operationsOf(store, "pool", pool.name, now).map(({ operation, by }) => `pool "${pool.name}" has a ${operation}, by ${by}`);
  return [
    `it is for pool "${pool.name}", size "${job.size}" (${size.vcpu} vCPU, ${size.memoryMb} MiB)`,
    `${ahead} job${ahead === 1 ? "" : "s"} of this pool and size wait${ahead === 1 ? "s" : ""} for longer`,
    `pool "${pool.name}" has ${own.length} of ${pool.maxMicrovms} microVMs, ${leaving} of them on their way out`,
    ...told,
    ...explainHosts(from, pool, size),
  ];
}

const isAhead = (other: Job, job: Job): boolean =>
  other.status === "pending" && other.pool === job.pool && other.size === job.size && other.queuedAt < job.queuedAt;

/** What each pool of the job's connection would want of it, in the order in which they are tried. */
function whyNoPool({ store, loop }: ExplainFrom, job: Job): readonly string[] {
  const connection = store.get("connection", job.connection)?.value.spec;
  const declared = store.list("pool").toSorted((a, b) => a.value.order - b.value.order);
  const pools = declared.flatMap(({ value: { spec } }) => (spec.connection === job.connection ? [spec] : []));
  if (connection === undefined || pools.length === 0) return [`no pool is declared for connection "${job.connection}"`];
  const protection = protectionOf(
    loop.look()?.connections.find(({ spec }) => spec.name === job.connection),
    job,
  );
  const traits = { ...job, protected: typeof protection === "object" ? ("unknown" as const) : protection };
  return pools.flatMap((pool) => {
    const found = mismatch(pool, connection, traits);
    return found === undefined ? [] : [`pool "${pool.name}" does not take it: ${found.why}`];
  });
}
