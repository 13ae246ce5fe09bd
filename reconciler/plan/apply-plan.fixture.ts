import { conditionKey } from "../model/condition.js";
import { hintKey } from "../model/front-door.js";
import { jobKey } from "../model/job.js";
import type { Decision, Plan } from "./draft.js";
import { effectKey } from "./effect.js";
import { plan } from "./plan.js";
import type { Snapshot } from "./snapshot.js";

/** The snapshot after a plan's decisions were committed and its effects were begun, in the same moment. */
export function applyPlan(snapshot: Snapshot, decided: Plan): Snapshot {
  const written = <V>(kind: Decision["kind"], values: readonly V[], keyOf: (value: V) => string): V[] => {
    const records = new Map(values.map((value) => [keyOf(value), value]));
    for (const decision of decided.decisions) {
      if (decision.kind !== kind) continue;
      if (decision.value === null) records.delete(decision.key);
      else records.set(decision.key, decision.value as V);
    }
    return [...records.values()];
  };
  return {
    ...snapshot,
    jobs: written("job", snapshot.jobs, jobKey),
    microvms: written("microvm", snapshot.microvms, (vm) => vm.name),
    identities: written("identity", snapshot.identities, (identity) => identity.vm),
    presences: written("presence", snapshot.presences, (presence) => presence.name),
    conditions: written("condition", snapshot.conditions, conditionKey),
    hostImages: written("hostImages", snapshot.hostImages, ({ host }) => host),
    deadLetters: new Map(
      [...snapshot.deadLetters].filter(([key]) => !decided.decisions.some((made) => made.kind === "deadLetter" && made.key === key)),
    ),
    hints: written("hint", snapshot.hints, hintKey),
    guestReports: new Map(
      written("guestReport", [...snapshot.guestReports.values()], (report) => report.vm).map((report) => [report.vm, report]),
    ),
    effects: new Map([...snapshot.effects, ...decided.effects.map((effect) => [effectKey(effect), { state: "in-flight" }] as const)]),
  };
}

/** Plans and applies until nothing more is to be decided in this moment; the seeds differ as they do in the loop. */
export function planUntilDone(snapshot: Snapshot): { readonly rounds: readonly Plan[]; readonly after: Snapshot } {
  const rounds: Plan[] = [];
  let after = snapshot;
  do {
    const decided = plan(after);
    rounds.push(decided);
    after = applyPlan(after, decided);
    after = { ...after, seed: { ...after.seed, name: `${after.seed.name.slice(0, 8)}${nameOf(rounds.length)}` } };
  } while (rounds[rounds.length - 1]?.wakeAt === snapshot.now && rounds.length < 8);
  return { rounds, after };
}

const nameOf = (n: number): string => `${"abcdefghijklmnop"[n % 16]}z`;
