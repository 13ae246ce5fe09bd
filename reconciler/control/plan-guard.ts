import { type DeadLetter, failureNote, keptFailures } from "../model/dead-letter.js";
import { FireRunnerError } from "../model/errors.js";
import { hintKey } from "../model/front-door.js";
import { type Job, jobKey } from "../model/job.js";
import { recordSchemas } from "../model/records.js";
import { parseOrRefuse } from "../model/validation.js";
import type { Plan } from "../plan/draft.js";
import type { Snapshot } from "../plan/snapshot.js";

/** So many plans at most are made to find what none can be made with. */
const mostTries = 400;

/** What a plan can be made without and nothing is deleted for it: a job, a hint, or what a host showed last (unknown is not empty). */
type Part = {
  readonly key: string;
  /** What is judged; another object is another chance. */
  readonly value: object;
} & ({ readonly kind: "job"; readonly value: Job } | { readonly kind: "hint" | "host" });

/** A part that is left out, and why. */
interface LeftOut {
  readonly part: Part;
  readonly error: FireRunnerError;
}

export interface Guarded {
  readonly decided: Plan;
  /** Letters of what is left out, by key, as they are to be from here on. */
  readonly letters: ReadonlyMap<string, DeadLetter>;
  /** Waiting jobs that are left out and do not say so yet, with the reason. */
  readonly explained: readonly Job[];
}

/**
 * Makes plans although there may be something that none can be made with. A fault in deciding upon one record would otherwise
 * end every pass, and nothing would move any more: so the record is left out, and told of, until it is another.
 */
export class PlanGuard {
  private leftOut: readonly LeftOut[] = [];
  /** Whether decisions are checked as the store will check them: it has refused some. */
  private strict = false;

  constructor(private readonly decide: (snapshot: Snapshot) => Plan) {}

  /** Throws as the plan does when there is nothing that it could be made without. */
  plan(snapshot: Snapshot): Guarded {
    if (this.leftOut.length > 0) {
      const values = new Set(partsOf(snapshot).map(({ value }) => value));
      this.leftOut = this.leftOut.filter(({ part }) => values.has(part.value));
    }
    const known = new Set(this.leftOut.map(({ part }) => part.value));
    let decided: Plan;
    try {
      decided = this.attempt(snapshot, known);
    } catch (caught) {
      const rest = partsOf(snapshot).filter(({ value }) => !known.has(value));
      const found = this.search(snapshot, rest, known);
      if (found.length === 0) throw caught;
      this.leftOut = [...this.leftOut, ...found];
      decided = this.attempt(snapshot, new Set(this.leftOut.map(({ part }) => part.value)));
    }
    this.strict = false;
    const letters = new Map(this.leftOut.map((one) => [keyOf(one.part), letterOf(one, snapshot)]));
    return { decided, letters, explained: this.leftOut.flatMap(explain) };
  }

  /** A snapshot as plans are made of it: without what is left out. */
  seen(snapshot: Snapshot): Snapshot {
    return this.leftOut.length === 0 ? snapshot : leavingOut(snapshot, new Set(this.leftOut.map(({ part }) => part.value)));
  }

  /** The store has refused what was decided: the next plan finds out whose decision that was. */
  refused(): void {
    this.strict = true;
  }

  private attempt(snapshot: Snapshot, without: ReadonlySet<object>): Plan {
    const decided = this.decide(without.size === 0 ? snapshot : leavingOut(snapshot, without));
    if (this.strict) {
      for (const { kind, key, value } of decided.decisions) {
        if (value !== null) parseOrRefuse(recordSchemas[kind], value, `${kind} "${key}"`);
      }
    }
    return decided;
  }

  /** Takes in one half after the other; what cannot be taken in by itself is what was searched for. */
  private search(snapshot: Snapshot, parts: readonly Part[], known: ReadonlySet<object>): readonly LeftOut[] {
    const out = new Set([...known, ...parts.map(({ value }) => value)]);
    const found: LeftOut[] = [];
    let tries = 0;
    const refusal = (): FireRunnerError | undefined => {
      tries += 1;
      try {
        this.attempt(snapshot, out);
        return undefined;
      } catch (caught) {
        return FireRunnerError.from(caught, "FR-INTERNAL", "deciding");
      }
    };
    if (refusal() !== undefined) return [];
    const takeIn = (some: readonly Part[]): void => {
      for (const { value } of some) out.delete(value);
      const error = refusal();
      if (error === undefined) return;
      for (const { value } of some) out.add(value);
      if (some.length === 1 || tries >= mostTries) {
        found.push(...some.map((part) => ({ part, error })));
        return;
      }
      const middle = some.length >> 1;
      takeIn(some.slice(0, middle));
      takeIn(some.slice(middle));
    };
    takeIn(parts);
    return found;
  }
}

function partsOf(snapshot: Snapshot): readonly Part[] {
  return [
    ...snapshot.jobs.map((value): Part => ({ kind: "job", key: jobKey(value), value })),
    ...snapshot.hints.map((value): Part => ({ kind: "hint", key: hintKey(value), value })),
    ...snapshot.hosts.flatMap(({ spec, observation }): Part[] =>
      observation === undefined ? [] : [{ kind: "host", key: spec.name, value: observation }],
    ),
  ];
}

function leavingOut(snapshot: Snapshot, values: ReadonlySet<object>): Snapshot {
  return {
    ...snapshot,
    jobs: snapshot.jobs.filter((job) => !values.has(job)),
    hints: snapshot.hints.filter((hint) => !values.has(hint)),
    hosts: snapshot.hosts.map((host) =>
      host.observation !== undefined && values.has(host.observation) ? { ...host, observation: undefined } : host,
    ),
  };
}

function explain({ part, error }: LeftOut): readonly Job[] {
  if (part.kind !== "job" || part.value.status !== "pending") return [];
  const message = `it cannot be decided upon (${error.message}): see firerunner dlq show ${keyOf(part)}`;
  if (part.value.waitingReason?.message === message) return [];
  return [{ ...part.value, waitingReason: { code: "FR-INTERNAL", message } }];
}

const keyOf = ({ kind, key }: Part): string => `decide:${kind}/${key}`;

function letterOf({ part, error }: LeftOut, { now, deadLetters }: Snapshot): DeadLetter {
  const known = deadLetters.get(keyOf(part));
  const last = known?.failures.at(-1);
  const note = failureNote(now, error);
  if (known !== undefined && last?.message === note.message) return known;
  const record = { kind: part.kind, key: part.key };
  return {
    action: "decide",
    target: { record, ...(part.kind === "host" ? {} : { connection: part.key.split("/")[0] }) },
    tried: "never",
    attempts: (known?.attempts ?? 0) + 1,
    firstFailureAt: known?.firstFailureAt ?? now,
    lastFailureAt: now,
    parkedAt: known?.parkedAt ?? now,
    failures: [...(known?.failures ?? []), note].slice(-keptFailures),
  };
}
