import { isLeaving } from "../model/microvm.js";
import type { Plan } from "../plan/draft.js";
import type { Snapshot } from "../plan/snapshot.js";
import { changesOf } from "./plan-view.js";

/** Something that is in nobody's use any more. */
export interface Leftover {
  readonly kind: "microvm" | "runner" | "record";
  readonly name: string;
  /** The host or connection that has it; of a record, `store`. */
  readonly where: string;
  readonly why: string;
  readonly code?: string;
}

/** What a sweep would remove at this moment, as far as hosts and forges were read. */
export interface SweepView {
  readonly at: number;
  readonly removes: readonly Leftover[];
  /** What is on its way out already. */
  readonly underWay: readonly Leftover[];
  /** What is not ours: it is reported, never touched. */
  readonly leftAlone: readonly { readonly host: string; readonly message: string }[];
  /** How old the picture is: when each host was listed and each connection searched for runners; left out where never. */
  readonly read: {
    readonly hosts: readonly { readonly name: string; readonly at?: number }[];
    readonly connections: readonly { readonly name: string; readonly at?: number }[];
  };
}

/** What of a plan removes something: strays, orphans, doubles, runners and records without use. */
export function sweepView(snapshot: Snapshot, plan: Plan): SweepView {
  const leaving = new Map(snapshot.microvms.filter(isLeaving).map((vm) => [vm.name, vm]));
  const microvms = new Set(snapshot.microvms.map(({ name }) => name));
  const leavingRunners = snapshot.identities.filter(({ vm, state }) => state === "leaving" || !microvms.has(vm));
  const known = new Set(leavingRunners.map(({ vm }) => vm));
  const leavingPresences = new Map(
    snapshot.presences.filter(({ state }) => state === "leaving").map((presence) => [presence.name, presence]),
  );
  const removes: Leftover[] = [];
  for (const [index, { kind, name, what, code }] of changesOf(snapshot, plan.decisions).entries()) {
    const why = { why: what, ...(code === undefined ? {} : { code }) };
    const decision = plan.decisions[index];
    if (decision?.kind === "microvm" && decision.value !== null && isLeaving(decision.value) && !leaving.has(name)) {
      removes.push({ kind: "microvm", name, where: `host/${decision.value.host}`, ...why });
    } else if (decision?.kind === "identity" && decision.value?.state === "leaving" && !known.has(name)) {
      removes.push({ kind: "runner", name, where: `connection/${decision.value.connection}`, ...why });
    } else if (decision?.kind === "presence" && decision.value?.state === "leaving" && !leavingPresences.has(name)) {
      removes.push({ kind: "runner", name, where: `connection/${decision.value.connection}`, ...why });
    } else if ((kind === "job" || kind === "condition") && decision?.value === null) {
      removes.push({ kind: "record", name: `${kind}/${name}`, where: "store", ...why });
    }
  }
  for (const effect of plan.effects) {
    if (effect.kind !== "deleteDouble") continue;
    removes.push({ kind: "microvm", name: effect.uid, where: `host/${effect.host}`, why: "the host has it twice" });
  }
  return {
    at: snapshot.now,
    removes,
    underWay: [
      ...[...leaving.values()].map(
        (vm): Leftover => ({
          kind: "microvm",
          name: vm.name,
          where: `host/${vm.host}`,
          why: vm.failure?.message ?? `${vm.phase}, and never given work again`,
          ...(vm.failure === undefined ? {} : { code: vm.failure.code }),
        }),
      ),
      ...leavingRunners.map(
        ({ vm, connection, vmGoneAt }): Leftover => ({
          kind: "runner",
          name: vm,
          where: `connection/${connection}`,
          why: vmGoneAt === undefined ? "it takes no more jobs" : "its microVM is gone",
        }),
      ),
      ...[...leavingPresences.values()].map(
        ({ name, connection, pool, size }): Leftover => ({
          kind: "runner",
          name,
          where: `connection/${connection}`,
          why: `pool "${pool}", size "${size}" needs no presence runner`,
        }),
      ),
    ],
    leftAlone: snapshot.conditions.flatMap(({ type, subject, message }) =>
      type === "ForeignMicrovms" ? [{ host: subject.name, message }] : [],
    ),
    read: {
      hosts: snapshot.hosts.map(({ spec, observation }) => ({
        name: spec.name,
        ...(observation === undefined ? {} : { at: observation.at }),
      })),
      connections: snapshot.connections.map(({ spec, sweptAt }) => ({
        name: spec.name,
        ...(sweptAt === undefined ? {} : { at: sweptAt }),
      })),
    },
  };
}
