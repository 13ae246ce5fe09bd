import { type Condition, conditionKey } from "../model/condition.js";
import type { DeadLetter } from "../model/dead-letter.js";
import { hintKey } from "../model/front-door.js";
import { isRunning, type Job, jobKey } from "../model/job.js";
import { isLeaving } from "../model/microvm.js";
import { retire } from "./advance.js";
import type { Draft } from "./draft.js";

/** A webhook that could not be read is told of for a week. */
const toldForMs = 7 * 86_400_000;

/** The condition of a host or connection at which actions were set aside. */
const setAside = "DeadLetters";

/** Gives up for good what operators dropped. */
export function followDrops(draft: Draft): void {
  for (const [key, letter] of draft.deadLetters) {
    if (letter.asked?.what !== "drop") continue;
    giveUp(draft, letter);
    draft.dropDeadLetter(key);
  }
}

function giveUp(draft: Draft, { action, target, failures, asked }: DeadLetter): void {
  const code = failures.at(-1)?.code ?? "FR-INTERNAL";
  const why = { code, message: `given up by ${asked?.by ?? "an operator"}: ${failures.at(-1)?.message ?? "it kept failing"}` };
  const job = jobOf(draft, target);
  if (action === "readJob") dropHint(draft, hintKeyOf(target));
  else if (action === "decide" && target.record?.kind === "hint") dropHint(draft, target.record.key);
  else if (action === "decide" && target.record?.kind === "job") draft.dropJob(target.record.key);
  else if (job?.vmLoss !== undefined) draft.putJob({ ...job, vmLoss: { ...job.vmLoss, givenUp: why } });
  else if (action === "makeRunner") {
    const vm = draft.microvms.get(target.vm ?? "");
    if (vm !== undefined && !isLeaving(vm)) retire(draft, vm, why);
  }
}

function dropHint(draft: Draft, key: string | undefined): void {
  const hint = draft.snapshot.hints.find((each) => hintKey(each) === key);
  if (hint !== undefined) draft.dropHint(hint);
}

/** Forgets letters of actions that nothing needs any more, and tells at each host and connection what is set aside there. */
export function judgeDeadLetters(draft: Draft): void {
  for (const [key, letter] of draft.deadLetters) if (!isStillNeeded(draft, letter)) draft.dropDeadLetter(key);
  const bySide = new Map<string, DeadLetter[]>();
  for (const letter of draft.deadLetters.values()) {
    const { host, connection, record } = letter.target;
    const side = host !== undefined ? `host/${host}` : record?.kind === "host" ? `host/${record.key}` : `connection/${connection}`;
    bySide.set(side, [...(bySide.get(side) ?? []), letter]);
  }
  for (const { spec } of draft.snapshot.hosts) tell(draft, { kind: "host", name: spec.name }, bySide);
  for (const { spec } of draft.snapshot.connections) tell(draft, { kind: "connection", name: spec.name }, bySide);
}

function tell(draft: Draft, subject: Condition["subject"], bySide: ReadonlyMap<string, readonly DeadLetter[]>): void {
  const key = conditionKey({ subject, type: setAside });
  const known = draft.conditions.get(key);
  const letters = bySide.get(`${subject.kind}/${subject.name}`) ?? [];
  if (letters.length === 0) {
    if (known !== undefined) draft.dropCondition(key);
    return;
  }
  const actions = [...new Set(letters.map(({ action }) => action))].toSorted().join(", ");
  const message = `${letters.length} set aside because they kept failing (${actions}): see firerunner dlq ls`;
  if (known?.message === message) return;
  draft.putCondition({ subject, type: setAside, status: true, reason: "KeptFailing", message, observedAt: draft.now, count: 0 });
}

/** Whether the action would be begun if it were no dead letter. */
function isStillNeeded(draft: Draft, letter: DeadLetter): boolean {
  const { action, target } = letter;
  if (target.host !== undefined && !draft.hosts.has(target.host)) return false;
  if (target.connection !== undefined && !draft.connections.has(target.connection)) return false;
  const job = jobOf(draft, target);
  const vm = draft.microvms.get(target.vm ?? "");
  const identity = draft.identities.get(target.vm ?? "");
  const isThere = identity !== undefined && identity.absent !== true;
  switch (action) {
    case "webhook":
      return !draft.reached(letter.lastFailureAt + toldForMs);
    case "decide":
      // Whoever makes plans takes it back when the record can be decided upon again.
      return target.record?.kind !== "host" || draft.hosts.has(target.record.key);
    case "readJob":
      return draft.hasHint(hintKeyOf(target) ?? "");
    case "confirmLoss":
      return job?.vmLoss !== undefined && job.vmLoss.confirmedAt === undefined;
    case "cancelJob":
      return job?.vmLoss !== undefined && job.vmLoss.givenUp === undefined && isRunning(job.status);
    case "retryJob":
      return job?.vmLoss !== undefined && job.vmLoss.givenUp === undefined && job.vmLoss.retriedAs === undefined;
    case "deleteOnHost":
      return vm !== undefined && vm.deleteAcceptedAt === undefined;
    case "checkGone":
      return vm !== undefined;
    case "deleteDouble": {
      const seen = draft.hosts.get(target.host ?? "")?.observation;
      return seen === undefined || seen.microvms.has(target.uid ?? "");
    }
    case "makeRunner":
      return identity?.state === "wanted";
    case "findRunner":
      return isThere && identity.runnerId === undefined;
    case "pauseRunner":
      return isThere && identity.pausedAt === undefined;
    case "readRunningJobs":
    case "deleteRunner":
      return isThere;
    case "tendPresence": {
      const presence = draft.presences.get(target.presence ?? "");
      return presence !== undefined && (presence.state === "leaving") === (target.step === "remove");
    }
    default:
      return false;
  }
}

function jobOf(draft: Draft, { connection, projectId, jobId }: DeadLetter["target"]): Job | undefined {
  if (connection === undefined || projectId === undefined || jobId === undefined) return undefined;
  return draft.jobs.get(jobKey({ connection, projectId, jobId }));
}

function hintKeyOf({ connection, projectId, jobId }: DeadLetter["target"]): string | undefined {
  if (connection === undefined || projectId === undefined) return undefined;
  return hintKey({ connection, projectId, ...(jobId === undefined ? {} : { jobId }) });
}
