import { conditionKey } from "../model/condition.js";
import type { NewEvent } from "../model/event.js";
import { isFinished, jobKey } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import type { Decision, Plan } from "../plan/draft.js";
import type { Effect } from "../plan/effect.js";
import type { Snapshot } from "../plan/snapshot.js";

/** A record that would be written, and why, in words for people. */
export interface PlannedChange {
  readonly kind: Decision["kind"];
  readonly name: string;
  readonly action: "create" | "change" | "remove";
  readonly what: string;
  /** The documented code of the reason, where it has one. */
  readonly code?: string;
}

/** A call to a host or a forge that would be made, and why. */
interface PlannedCall {
  readonly effect: Effect;
  readonly why: string;
}

/** What the loop would do at this moment. */
export interface PlanView {
  readonly at: number;
  readonly changes: readonly PlannedChange[];
  readonly calls: readonly PlannedCall[];
  readonly events: readonly NewEvent[];
  /** Calls that were begun, or that wait for their next try, by what they act on. */
  readonly underWay: readonly { readonly call: string; readonly until?: number }[];
  /** When the same records would be decided otherwise. */
  readonly wakeAt?: number;
}

/** A plan as data with reasons. Nothing secret is in it: of an identity only its state is told. */
export function planView(snapshot: Snapshot, { decisions, effects, events, wakeAt }: Plan): PlanView {
  return {
    at: snapshot.now,
    changes: changesOf(snapshot, decisions),
    calls: effects.map((effect) => ({ effect, why: whyCalled(effect) })),
    events,
    underWay: [...snapshot.effects].map(([call, state]) => ({ call, ...(state.state === "in-flight" ? {} : { until: state.until }) })),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** The records that a plan writes. */
export function changesOf(snapshot: Snapshot, decisions: readonly Decision[]): readonly PlannedChange[] {
  const known: Record<Decision["kind"], ReadonlySet<string>> = {
    job: new Set(snapshot.jobs.map(jobKey)),
    microvm: new Set(snapshot.microvms.map(({ name }) => name)),
    identity: new Set(snapshot.identities.map(({ vm }) => vm)),
    presence: new Set(snapshot.presences.map(({ name }) => name)),
    condition: new Set(snapshot.conditions.map(conditionKey)),
    hostImages: new Set(snapshot.hostImages.map(({ host }) => host)),
    hint: new Set(),
    guestReport: new Set(),
    deadLetter: new Set(),
  };
  const microvms = new Map(snapshot.microvms.map((vm) => [vm.name, vm]));
  // That a guest's report is still absent is demanded of the commit, and changes nothing.
  const changes = decisions.filter(({ kind, key }) => kind !== "guestReport" || snapshot.guestReports.has(key));
  return changes.map((decision) => {
    const { kind, key: name, value } = decision;
    const action = value === null ? "remove" : known[kind].has(name) ? "change" : "create";
    return { kind, name, action, ...reasonOf(snapshot, decision, microvms.get(name)) };
  });
}

type Reason = Pick<PlannedChange, "what" | "code">;

function reasonOf(snapshot: Snapshot, decision: Decision, before: Microvm | undefined): Reason {
  if (decision.value === null) return { what: removed[decision.kind] };
  switch (decision.kind) {
    case "microvm":
      return reasonOfMicrovm(snapshot, decision.value, before);
    case "job": {
      const { status, vm, host, waitingReason } = decision.value;
      if (status === "pending" && waitingReason !== undefined) return { what: waitingReason.message, code: waitingReason.code };
      return { what: vm === undefined ? `is ${status}` : `is ${status} on ${vm}${host === undefined ? "" : ` (${host})`}` };
    }
    case "identity": {
      const { state, vmGoneAt } = decision.value;
      if (state === "wanted") return { what: "a runner is to be made in the forge" };
      if (state === "ready") return { what: "its runner is made" };
      return { what: vmGoneAt === undefined ? "its runner takes no more jobs" : "its microVM is gone: its runner is to be deleted" };
    }
    case "presence": {
      const { pool, size, state, unneededSince } = decision.value;
      const of = `size "${size}" of pool "${pool}"`;
      if (state === "leaving") return { what: `the presence runner of ${of} is to be deleted` };
      return {
        what: unneededSince === undefined ? `the presence runner of ${of} is ${state}` : `nothing needs the presence runner of ${of}`,
      };
    }
    case "condition": {
      const { status, reason, message } = decision.value;
      return { what: `${status ? "true" : "false"}, ${reason}: ${message}`, ...(reason.startsWith("FR-") ? { code: reason } : {}) };
    }
    case "hostImages":
      return { what: "a guest claimed: the host has its images" };
  }
}

const removed: Readonly<Record<Decision["kind"], string>> = {
  job: "nothing needs its record any more",
  microvm: "it is gone from its host",
  identity: "its runner is gone from the forge",
  presence: "it is gone from the forge",
  condition: "it is no longer so",
  hostImages: "the host is another one, or is no more",
  hint: "it was followed, or leads nowhere",
  guestReport: "its microVM is gone",
  deadLetter: "nothing needs it any more, or it was given up",
};

function reasonOfMicrovm(snapshot: Snapshot, after: Microvm, before: Microvm | undefined): Reason {
  if (after.failure !== undefined) return { what: after.failure.message, code: after.failure.code };
  if (before === undefined) {
    const forWhom = after.committedAt === undefined ? "to be kept ready" : "for a job that waits";
    return { what: `size "${after.sizeName}" of pool "${after.pool}" on host "${after.host}", ${forWhom}` };
  }
  if (isLeaving(after) && !isLeaving(before)) return { what: whyItGoes(snapshot, before) };
  if (after.phase === "deleting" && before.phase !== "deleting") return { what: "nothing runs on it: it is deleted" };
  if (before.phase !== after.phase) return { what: `from ${before.phase} to ${after.phase}` };
  return {
    what: before.committedAt === undefined && after.committedAt !== undefined ? "a job that waits gets it" : `stays ${after.phase}`,
  };
}

/** Why a microVM without a failure is told to go. */
function whyItGoes(snapshot: Snapshot, vm: Microvm): string {
  const job = snapshot.jobs.find((each) => jobKey(each) === vm.job);
  if (vm.job !== undefined && (job === undefined || isFinished(job.status))) return `its job ${vm.job} is over`;
  if (snapshot.guestReports.get(vm.name)?.done !== undefined) return "its guest has ended";
  const pool = snapshot.pools.find(({ spec }) => spec.name === vm.pool);
  if (pool === undefined) return `its pool "${vm.pool}" is no longer declared`;
  const host = snapshot.hosts.find(({ spec }) => spec.name === vm.host);
  if (host?.standing === "draining") return `its host "${vm.host}" drains`;
  if (pool.draining === true) return `its pool "${vm.pool}" drains`;
  return vm.identity ? "no job waits for it any more" : "it idles, gives way, or is not what its pool declares any more";
}

function whyCalled(effect: Effect): string {
  switch (effect.kind) {
    case "readJob":
      return "a hint says that something happened to the job";
    case "poll":
      return effect.projectId === undefined
        ? "it is time to read its waiting and running jobs"
        : "a hint says that something happened there";
    case "sweepRunners":
      return "it is time to search it for runners that nobody needs";
    case "readProtectedRefs":
      return "whether jobs that wait there are of protected refs decides which pool they go to";
    case "confirmLoss":
      return "the job's microVM was lost: does it still run?";
    case "cancelJob":
      return effect.force ? "the job's microVM was lost, and its runner does not end it" : "the job's microVM was lost";
    case "retryJob":
      return "the job was cancelled because its microVM was lost";
    case "checkConnection":
      return "it is time to check its token and its webhook";
    case "listHost":
      return "it is time to read its microVMs";
    case "createOnHost":
      return "a microVM was decided on";
    case "deleteOnHost":
      return "the microVM is to go, and nothing runs on it";
    case "checkGone":
      return "its Delete was accepted: is it gone?";
    case "deleteDouble":
      return "the host has it twice";
    case "makeRunner":
      return "the microVM needs a runner";
    case "findRunner":
      return "whether its runner was made is not known";
    case "pauseRunner":
      return "its runner shall take no more jobs";
    case "readRunningJobs":
      return "whether its runner still runs a job must be known before it goes";
    case "deleteRunner":
      return "its microVM is gone";
    case "tendPresence":
      return "the forge gives up jobs that wait where it sees no runner for them";
  }
}
