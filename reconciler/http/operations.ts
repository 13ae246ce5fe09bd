import type { Clock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { NewEvent } from "../model/event.js";
import { type Operation, operationKey } from "../model/front-door.js";
import type { Store, Write } from "../store/port.js";
import type { LoopView } from "./loop-view.js";
import { signsOfLife } from "./signs-of-life.js";

/** What operators may say of a host or a pool: what is recorded for it, or what it takes back. */
export const verbs = {
  host: {
    cordon: { records: "cordon", event: "HostCordoned" },
    drain: { records: "drain", event: "HostDraining" },
    forget: { records: "forget", event: "HostForgotten" },
    uncordon: { takesBack: ["cordon", "drain", "forget"], event: "HostUncordoned" },
  },
  pool: {
    pause: { records: "pause", event: "PoolPaused" },
    resume: { takesBack: ["pause"], event: "PoolResumed" },
  },
} as const satisfies Record<string, Record<string, Verb>>;

export type OperatedKind = keyof typeof verbs;

type Verb =
  | { readonly records: Operation["operation"]; readonly event: string }
  | { readonly takesBack: readonly Operation["operation"][]; readonly event: string };

/** Who says it, and what belongs to the single verbs. */
interface Told {
  readonly by: string;
  /** Of `drain`: how long jobs that run on the host may go on; without it, until they end. */
  readonly deadlineS?: number | undefined;
  /** Of `forget`: also of a host that shows signs of life. */
  readonly force?: boolean | undefined;
}

/** What operators do to hosts and pools. */
export interface Operations {
  /**
   * Records an operation or takes it back; said again it changes nothing, but that a drain takes the deadline that is
   * named last. `FR-NOT-FOUND` without such a record, `FR-REFERENCED` when a host that lives would be forgotten.
   */
  tell(kind: OperatedKind, name: string, verb: string, told: Told): Promise<void>;
}

const maxAttempts = 5;

interface OperationsOptions {
  readonly store: Store;
  readonly clock: Pick<Clock, "now">;
  readonly loop: LoopView;
}

export function createOperations({ store, clock, loop }: OperationsOptions): Operations {
  function writesOf(kind: OperatedKind, name: string, verb: Verb, told: Told): readonly Write[] {
    const now = clock.now();
    if ("takesBack" in verb)
      return verb.takesBack.flatMap((operation) => removing(store, operationKey({ subject: { kind, name }, operation })));
    const subject = { kind, name };
    const key = operationKey({ subject, operation: verb.records });
    const known = store.get("operation", key);
    const deadlineAt = told.deadlineS === undefined ? known?.value.deadlineAt : now + told.deadlineS * 1000;
    if (known !== undefined && known.value.deadlineAt === deadlineAt) return [];
    const value: Operation = {
      subject,
      operation: verb.records,
      by: told.by,
      at: now,
      ...(deadlineAt === undefined ? {} : { deadlineAt }),
    };
    return [{ kind: "operation", key, value, expect: known?.revision ?? "absent" }];
  }

  return {
    async tell(kind, name, verbName, told) {
      const verb: Verb | undefined = (verbs[kind] as Readonly<Record<string, Verb>>)[verbName];
      if (verb === undefined) throw new FireRunnerError("FR-INTERNAL", `${verbName} is nothing that can be told of a ${kind}`);
      for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
        mustExist(store, kind, name);
        const writes = writesOf(kind, name, verb, told);
        if (writes.length === 0) return;
        if (verbName === "forget" && told.force !== true) refuseIfAlive(store, loop, name);
        const event: NewEvent = { at: clock.now(), type: verb.event, subject: { kind, name }, message: sentence(verb, told) };
        if ((await store.commit({ writes, events: [event] })).outcome !== "committed") continue;
        if (store.get(kind, name) !== undefined) return;
        // Removed meanwhile: what was told must not await a later record of the same name.
        await store.commit({ writes: writes.map((write): Write => ({ kind: "operation", key: write.key, value: null, expect: "any" })) });
      }
      throw new FireRunnerError("FR-CONFLICT", `${kind} "${name}" was operated on again and again meanwhile; repeat`, { retryable: true });
    },
  };
}

/** What holds for a host or pool now, the oldest first; the drain of a removal that nobody waits for any more does not. */
export function operationsOf(store: Pick<Store, "list">, kind: string, name: string, now: number): readonly Operation[] {
  return store
    .list("operation")
    .map(({ value }) => value)
    .filter(({ subject, until }) => subject.kind === kind && subject.name === name && (until === undefined || until > now))
    .toSorted((a, b) => a.at - b.at);
}

/** Writes that leave nothing told of a record that goes: a later one of its name begins anew. */
export function forgettingAll(store: Pick<Store, "list">, kind: string, name: string): readonly Write[] {
  return store
    .list("operation")
    .flatMap(({ key, revision, value: { subject } }): Write[] =>
      subject.kind === kind && subject.name === name ? [{ kind: "operation", key, value: null, expect: revision }] : [],
    );
}

function removing(store: Pick<Store, "get">, key: string): readonly Write[] {
  const known = store.get("operation", key);
  return known === undefined ? [] : [{ kind: "operation", key, value: null, expect: known.revision }];
}

function mustExist(store: Pick<Store, "get">, kind: OperatedKind, name: string): void {
  if (store.get(kind, name) === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no ${kind} is called ${JSON.stringify(name)}`);
}

/** What runs on a forgotten machine is never asked for again: if it is alive after all, its microVMs would be left there. */
function refuseIfAlive(store: Store, loop: LoopView, name: string): void {
  const held = store.list("microvm").filter(({ value }) => value.host === name);
  const sign = held.length === 0 ? undefined : signsOfLife(loop, name);
  if (sign === undefined) return;
  const busy = held.filter(({ value }) => value.phase === "busy").length;
  const what = `${held.length} microVM${held.length === 1 ? "" : "s"}, ${busy} of them with a running job`;
  throw new FireRunnerError(
    "FR-REFERENCED",
    `host "${name}" is not forgotten: ${sign}, and it holds ${what}; drain it, or force it if the machine will never come back`,
    { details: { microvms: held.length, busy } },
  );
}

function sentence(verb: Verb, { by, deadlineS, force }: Told): string {
  const deadline = "records" in verb && verb.records === "drain" && deadlineS !== undefined ? `, jobs may run for ${deadlineS} s more` : "";
  return `by ${by}${deadline}${force === true ? ", forced" : ""}`;
}
