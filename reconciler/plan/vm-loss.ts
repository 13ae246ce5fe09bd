import type { GuestReport } from "../model/front-door.js";
import { isRunning, type Job, jobKey } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import type { LossPolicy, VmLoss } from "../model/vm-loss.js";
import { afterDoneMs, heardAtOf, silenceMs } from "./advance.js";
import type { Draft } from "./draft.js";

/** How long a runner that is lost is given to answer a cancellation: a living one is heard by the forge within a minute. */
const forceAfterMs = 120_000;
/** After so long the forge itself has given the job up, whatever was asked of it. */
const giveUpMs = 3_600_000;

/** Failures of a microVM on which nothing runs any more. */
const lostFailures: ReadonlySet<string> = new Set(["FR-GUEST-LOST", "FR-GUEST-RESTARTED", "FR-VM-VANISHED"]);

/**
 * Finds jobs that run, as far as is known, on a microVM that is lost or gone, and does with each what its pool says. The
 * forge is asked first whether it still runs; what is asked of it is written down before.
 */
export function followLosses(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    const loss = job.vmLoss ?? lossOf(draft, job);
    if (loss !== undefined) follow(draft, job, loss);
  }
}

function lossOf(draft: Draft, job: Job): VmLoss | undefined {
  if (job.vm === undefined || !isRunning(job.status)) return undefined;
  const vm = draft.microvms.get(job.vm);
  const why = vm === undefined ? { code: "FR-VM-VANISHED", message: `microVM "${job.vm}" is gone` } : whyLost(draft, vm);
  if (why === undefined) return undefined;
  return { at: draft.now, ...why, policy: policyOf(draft, job, why.code) };
}

/** Why nothing can run on a microVM any more; undefined while something may. */
function whyLost(draft: Draft, vm: Microvm): Pick<VmLoss, "code" | "message"> | undefined {
  const { failure, absentAt } = vm;
  if (failure !== undefined && (lostFailures.has(failure.code) || absentAt !== undefined)) return failure;
  if (absentAt !== undefined) return { code: "FR-VM-VANISHED", message: `host "${vm.host}" no longer has it` };
  const report = draft.snapshot.guestReports.get(vm.name);
  return report === undefined || !isLeaving(vm) ? undefined : whyGuestLost(draft, vm, report);
}

/** One that was told to go is waited for while its job runs, but its guest may end before that. */
function whyGuestLost(draft: Draft, vm: Microvm, report: GuestReport): Pick<VmLoss, "code" | "message"> | undefined {
  if (report.fault?.code === "FR-GUEST-RESTARTED") return { code: report.fault.code, message: "its guest booted again" };
  if (report.done !== undefined && draft.reached(report.done.at + afterDoneMs))
    return { code: "FR-GUEST-LOST", message: "its runner ended while the forge says that its job runs" };
  if (report.done !== undefined || !draft.reached(heardAtOf(draft, vm, report) + silenceMs)) return undefined;
  return { code: "FR-GUEST-LOST", message: `its guest was not heard for ${silenceMs / 1000} s` };
}

/** A job that ran for too long would do so again. */
function policyOf(draft: Draft, job: Job, code: string): LossPolicy {
  const policy = draft.pools.get(job.pool ?? "")?.spec.onVmLoss ?? "report";
  return policy === "cancel-and-retry" && code === "FR-JOB-TIMEOUT" ? "cancel" : policy;
}

function follow(draft: Draft, job: Job, loss: VmLoss): void {
  if (job.vmLoss === undefined) draft.putJob({ ...job, vmLoss: loss });
  if (loss.confirmedAt === undefined) draft.begin({ kind: "confirmLoss", ...idOf(job) });
  else if (loss.givenUp !== undefined || loss.policy === "report") return;
  else if (job.status === "running") cancel(draft, job, loss, loss.confirmedAt);
  else if (job.status === "canceling") force(draft, job, loss, loss.confirmedAt);
  else if (job.status === "canceled" && loss.policy === "cancel-and-retry") retry(draft, job, loss);
}

function cancel(draft: Draft, job: Job, loss: VmLoss, confirmedAt: number): void {
  if (draft.reached(confirmedAt + giveUpMs)) giveUp(draft, job, loss, late("cancelled"));
  else if (draft.begin({ kind: "cancelJob", ...idOf(job), force: false })) ask(draft, job, { ...loss, cancelAskedAt: draft.now });
}

/** Who dies over a job that is being cancelled never says that it has ended. */
function force(draft: Draft, job: Job, loss: VmLoss, confirmedAt: number): void {
  if (!draft.reached((loss.cancelAskedAt ?? confirmedAt) + forceAfterMs)) return;
  if (draft.reached(confirmedAt + giveUpMs)) giveUp(draft, job, loss, late("cancelled by force"));
  else if (draft.begin({ kind: "cancelJob", ...idOf(job), force: true })) ask(draft, job, { ...loss, forceAskedAt: draft.now });
}

/** Only what was cancelled for this reason is retried, and that once for each name in a pipeline. */
function retry(draft: Draft, job: Job, loss: VmLoss): void {
  if (loss.cancelAskedAt === undefined || loss.retriedAs !== undefined) return;
  const before = retriedBefore(draft, job);
  if (before !== undefined) {
    const message = `"${job.name}" was retried in this pipeline before, as job ${before.jobId} lost its microVM`;
    giveUp(draft, job, loss, { code: "FR-JOB-RETRIED-BEFORE", message });
  } else if (job.pipelineId === undefined) {
    giveUp(draft, job, loss, { code: "FR-FORGE-REJECTED", message: "the forge does not tell its pipeline" });
  } else if (draft.reached(loss.cancelAskedAt + giveUpMs)) {
    giveUp(draft, job, loss, late("retried"));
  } else if (draft.begin({ kind: "retryJob", ...idOf(job) })) {
    ask(draft, job, { ...loss, retryAskedAt: draft.now });
  }
}

function retriedBefore(draft: Draft, job: Job): Job | undefined {
  const isSame = (other: Job) => other.name === job.name && other.pipelineId === job.pipelineId && other.projectId === job.projectId;
  for (const other of draft.jobs.values()) {
    if (other.vmLoss?.retryAskedAt === undefined || other.jobId === job.jobId) continue;
    if (isSame(other) && other.connection === job.connection) return other;
  }
  return undefined;
}

/** Writes down what is asked: the first time of each counts. */
function ask(draft: Draft, job: Job, asked: VmLoss): void {
  draft.putJob({ ...job, vmLoss: { ...asked, ...job.vmLoss } });
}

function giveUp(draft: Draft, job: Job, loss: VmLoss, givenUp: NonNullable<VmLoss["givenUp"]>): void {
  draft.putJob({ ...job, vmLoss: { ...loss, givenUp } });
  draft.event("LostJobLeft", { kind: "job", name: jobKey(job) }, `${givenUp.code}: ${givenUp.message}`, job.traceId);
}

const late = (what: string) => ({ code: "FR-FORGE-UNREACHABLE", message: `it could not be ${what} within ${giveUpMs / 60_000} minutes` });

const idOf = ({ connection, projectId, jobId }: Job) => ({ connection, projectId, jobId });
