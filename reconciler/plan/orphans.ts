import { conditionKey } from "../model/condition.js";
import { runnerDescription } from "../model/identity.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool, Size } from "../model/pool.js";
import { sizeOf } from "../model/size-tag.js";
import type { Draft } from "./draft.js";
import type { HostView, ObservedMicrovm } from "./snapshot.js";

/**
 * Takes microVMs that bear our mark but have no record into the ordinary removal, which waits while the forge says
 * that they run a job. Until the pool and the connection that the mark names are declared, and the forge was read, nothing is
 * touched.
 */
export function adoptOrphans(draft: Draft): void {
  for (const view of draft.snapshot.hosts) {
    if (view.standing === "forgotten" || view.observation === undefined) continue;
    const foreign: string[] = [];
    for (const shown of view.observation.microvms.values()) {
      if (shown.mark === undefined) {
        if (!draft.microvms.has(shown.name)) foreign.push(shown.uid);
        continue;
      }
      const record = draft.microvms.get(shown.mark.vm);
      if (record === undefined) adopt(draft, view, shown, shown.mark);
      else if (record.uid !== undefined && record.uid !== shown.uid && shown.state !== "deleting")
        draft.begin({ kind: "deleteDouble", host: view.spec.name, uid: shown.uid });
    }
    reportForeign(draft, view.spec.name, foreign);
  }
}

function adopt(draft: Draft, view: HostView, shown: ObservedMicrovm, mark: NonNullable<ObservedMicrovm["mark"]>): void {
  const pool = draft.pools.get(mark.pool)?.spec;
  if (pool === undefined || draft.connections.get(mark.connection)?.readAt === undefined) return;
  const sizeName = mark.size ?? pool.size;
  const n = draft.nextName();
  const vm: Microvm = {
    name: mark.vm,
    pool: pool.name,
    connection: mark.connection,
    image: pool.image,
    sizeName,
    size: (mark.size === undefined ? undefined : sizeOf(pool, mark.size)) ?? largest(pool),
    host: view.spec.name,
    phase: "draining",
    uid: shown.uid,
    ...(shown.address === undefined ? {} : { address: shown.address }),
    mac: shown.mac ?? "",
    allocatedAt: draft.now,
    createSentAt: draft.now,
    // Whether it holds a credential is not known: it may.
    claimedAt: draft.now,
    drainingAt: draft.now,
    identity: true,
    jobDeadlineAt: draft.now + pool.maxJobTimeoutS * 1000,
    failure: { code: "FR-VM-ORPHAN", message: `found on host "${view.spec.name}" without a record` },
    traceId: draft.traceId(n),
  };
  draft.putMicrovm(vm);
  draft.event("MicrovmAdopted", { kind: "microvm", name: vm.name }, vm.failure?.message ?? "", vm.traceId);
  if (draft.identities.has(vm.name)) return;
  draft.putIdentity({
    vm: vm.name,
    connection: mark.connection,
    description: runnerDescription(draft.snapshot.owner, pool.name, vm.name),
    tags: [],
    runUntagged: false,
    maxJobTimeoutS: pool.maxJobTimeoutS,
    state: "leaving",
    attempts: 1,
  });
}

/**
 * What a microVM without a record takes of its host: of one that is ours and whose size cannot be known, the most that any
 * pool gives. Of what is not ours only that it is there is known.
 */
export function sizeWithoutRecord(draft: Draft, { mark }: ObservedMicrovm): Size {
  if (mark === undefined) return { vcpu: 0, memoryMb: 0 };
  const pool = draft.pools.get(mark.pool)?.spec;
  const known = pool === undefined || mark.size === undefined ? undefined : sizeOf(pool, mark.size);
  if (known !== undefined) return known;
  const sizes = (pool === undefined ? [...draft.pools.values()].map(({ spec }) => spec) : [pool]).map(largest);
  return { vcpu: Math.max(0, ...sizes.map(({ vcpu }) => vcpu)), memoryMb: Math.max(0, ...sizes.map(({ memoryMb }) => memoryMb)) };
}

/** What a microVM of unknown size takes of its host at most. */
function largest(pool: Pool): Size {
  const sizes = [...Object.values(pool.sizes), ...(pool.limits === undefined ? [] : [pool.limits])];
  return { vcpu: Math.max(...sizes.map(({ vcpu }) => vcpu)), memoryMb: Math.max(...sizes.map(({ memoryMb }) => memoryMb)) };
}

/** What stands in our namespace without a true mark is somebody else's: it is reported and left alone. */
function reportForeign(draft: Draft, host: string, uids: readonly string[]): void {
  const subject = { subject: { kind: "host", name: host }, type: "ForeignMicrovms" };
  const known = draft.conditions.get(conditionKey(subject));
  if (uids.length === 0) {
    if (known !== undefined) draft.dropCondition(conditionKey(subject));
    return;
  }
  const message = `without a true mark in our namespace: ${uids.toSorted().slice(0, 5).join(", ")}`;
  if (known?.message === message && known.count === uids.length) return;
  if (known === undefined) draft.event("ForeignMicrovms", subject.subject, message);
  draft.putCondition({ ...subject, status: true, reason: "NoTrueMark", message, observedAt: draft.now, count: uids.length });
}
