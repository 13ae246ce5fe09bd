import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import type { Clock } from "../model/clock.js";
import { type Declared, type DeclaredKind, declaredKinds, declaredSchemas, type Spec } from "../model/declared.js";
import { FireRunnerError } from "../model/errors.js";
import { type Fleet, fleetRefusals } from "../model/fleet.js";
import { parseOrRefuse, type Refusal } from "../model/validation.js";
import type { Store, Write } from "../store/port.js";
import { buildRemoval, type WhenUsed } from "./removals.js";

/** What an apply did with one record. `reordered`: the spec is as before, only its place among its kind has changed. */
interface Applied {
  readonly kind: DeclaredKind;
  readonly name: string;
  readonly outcome: "created" | "changed" | "reordered" | "unchanged";
  readonly generation: number;
}

interface Put<K extends DeclaredKind> {
  readonly outcome: Applied["outcome"];
  readonly record: Declared<Spec<K>>;
}

interface PutOptions {
  /** The generation that the record must have now, 0 for none (`FR-CONFLICT`). */
  readonly ifGeneration?: number | undefined;
  /** Who declares the record from now on; as before when it is left out. */
  readonly managedBy?: string | undefined;
}

interface RemoveOptions {
  readonly ifGeneration?: number | undefined;
  /** `refuse` when it is left out. See `Removals`. */
  readonly whenUsed?: WhenUsed | undefined;
}

/** What people declare, written so that it always fits together. */
export interface Declarations {
  /** Creates or replaces one record. */
  put<K extends DeclaredKind>(kind: K, name: string, body: unknown, options?: PutOptions): Promise<Put<K>>;
  /**
   * Removes one record; `FR-NOT-FOUND`, `FR-CONFLICT`, or `FR-REFERENCED` naming what still needs it. A host or pool may
   * be emptied instead: then the answer is what it still waits for, and the removal is to be asked for again.
   */
  remove(kind: DeclaredKind, name: string, options?: RemoveOptions): Promise<{ readonly usedBy: readonly string[] }>;
  /** Creates or replaces the records of a fleet, all of them or none; what it does not name stays. */
  apply(fleet: Fleet): Promise<readonly Applied[]>;
}

/** The lists of a fleet by kind. */
export const fleetLists = { host: "hosts", image: "images", connection: "connections", pool: "pools" } as const satisfies Record<
  DeclaredKind,
  keyof Fleet
>;

const maxAttempts = 5;
const maxWaiting = 1000;

interface DeclarationsOptions {
  readonly store: Pick<Store, "get" | "list" | "commit">;
  readonly clock: Pick<Clock, "now">;
}

export function createDeclarations({ store, clock }: DeclarationsOptions): Declarations {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  /** One after the other: a pool must not be checked against an image that is just being removed. */
  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    if (waiting >= maxWaiting) throw new FireRunnerError("FR-STORE", "too many declarations wait to be written", { retryable: true });
    waiting += 1;
    const result = last.then(step, step).finally(() => {
      waiting -= 1;
    });
    last = result.catch(() => undefined);
    return result;
  }

  /** Another replica may write between reading and committing: then everything is read and checked again. */
  async function commit<T>(build: () => { readonly writes: readonly Write[]; readonly result: T }): Promise<T> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const { writes, result } = build();
      if (writes.length === 0 || (await store.commit({ writes })).outcome === "committed") return result;
    }
    throw new FireRunnerError("FR-CONFLICT", "the declarations changed again and again while these were written; repeat", {
      retryable: true,
    });
  }

  function buildApply(fleet: Fleet, managedBy?: string): { writes: readonly Write[]; result: readonly Applied[] } {
    const refused = refusalsAgainst(store, fleet);
    if (refused.length > 0) {
      throw new FireRunnerError("FR-INVALID", refused.map(({ field, message }) => `${field}: ${message}`).join("\n"), {
        details: { refusals: refused },
      });
    }
    const steps = declaredKinds.flatMap((kind) => plan(store, clock.now(), kind, fleet[fleetLists[kind]], managedBy));
    return { writes: steps.flatMap(({ write }) => (write === undefined ? [] : [write])), result: steps.map(({ applied }) => applied) };
  }

  return {
    async put(kind, name, body, { ifGeneration, managedBy } = {}) {
      const schema: z.ZodType<Spec> = declaredSchemas[kind];
      const spec = parseOrRefuse(schema, named(kind, name, body), `${kind} "${name}"`);
      return inTurn(async () => {
        const applied = await commit(() => {
          checkGeneration(store, kind, name, ifGeneration);
          return buildApply(fleetOf(kind, spec), managedBy);
        }).catch((error: unknown) => {
          throw aboutOne(error, kind, name);
        });
        const stored = store.get(kind, name);
        const first = applied[0];
        if (stored === undefined || first === undefined)
          throw new FireRunnerError("FR-INTERNAL", `${kind} "${name}" is gone after its commit`);
        // The store's record of a kind is the declared form of that kind's spec.
        return { outcome: first.outcome, record: stored.value as Declared<Spec<typeof kind>> };
      });
    },

    async remove(kind, name, { ifGeneration, whenUsed = "refuse" } = {}) {
      return inTurn(() =>
        commit(() => {
          const stored = store.get(kind, name);
          if (stored === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no ${kind} is called "${name}"`);
          checkGeneration(store, kind, name, ifGeneration);
          return buildRemoval({ store, now: clock.now(), kind, name, revision: stored.revision }, whenUsed);
        }),
      );
    },

    apply: async (fleet) => inTurn(() => commit(() => buildApply(fleet))),
  };
}

type Reader = Pick<Store, "get" | "list">;

/** What would be wrong with everything that is declared once `fleet` were too; fields are those of `fleet`. */
function refusalsAgainst(store: Reader, fleet: Fleet): readonly Refusal[] {
  const merge = <K extends DeclaredKind>(kind: K, specs: readonly Spec<K>[]): { merged: Spec<K>[]; offset: number } => {
    const names = new Set(specs.map((spec) => spec.name));
    const others = store.list(kind).flatMap(({ value }) => (names.has(value.spec.name) ? [] : [value.spec as Spec<K>]));
    return { merged: [...others, ...specs], offset: others.length };
  };
  const hosts = merge("host", fleet.hosts);
  const images = merge("image", fleet.images);
  const connections = merge("connection", fleet.connections);
  const pools = merge("pool", fleet.pools);
  const offsets: Readonly<Record<string, number>> = {
    hosts: hosts.offset,
    images: images.offset,
    connections: connections.offset,
    pools: pools.offset,
  };
  return fleetRefusals({ hosts: hosts.merged, images: images.merged, connections: connections.merged, pools: pools.merged }).map(
    ({ field, message }) => ({
      field: field.replace(/^(\w+)\[(\d+)\]/, (_, list: string, index: string) => `${list}[${Number(index) - (offsets[list] ?? 0)}]`),
      message,
    }),
  );
}

/**
 * The writes that declare `specs`. Those that exist keep the places that they have among their kind, but in the order of
 * `specs`; new ones come after everything.
 */
function plan<K extends DeclaredKind>(store: Reader, now: number, kind: K, specs: readonly Spec<K>[], managedBy?: string) {
  const existing = new Map(store.list(kind).map((stored) => [stored.key, stored]));
  const after = Math.max(-1, ...[...existing.values()].map(({ value }) => value.order)) + 1;
  const known = specs.flatMap((spec) => existing.get(spec.name)?.value.order ?? []);
  const orders = [...known, ...specs.slice(known.length).map((_, index) => after + index)].sort((a, b) => a - b);
  return specs.map((spec, index): { readonly applied: Applied; readonly write?: Write } => {
    const stored = existing.get(spec.name);
    const order = orders[index] ?? after + index;
    if (stored === undefined) {
      const value = { spec, generation: 1, order, declaredAt: now, ...(managedBy === undefined ? {} : { managedBy }) };
      return {
        applied: { kind, name: spec.name, outcome: "created", generation: 1 },
        write: { kind, key: spec.name, value, expect: "absent" } as Write,
      };
    }
    const same = sameSpec(stored.value.spec, spec);
    const generation = stored.value.generation + (same ? 0 : 1);
    const outcome = same ? (stored.value.order === order ? "unchanged" : "reordered") : "changed";
    const applied = { kind, name: spec.name, outcome, generation } as const;
    const manager = managedBy ?? stored.value.managedBy;
    if (outcome === "unchanged" && manager === stored.value.managedBy) return { applied };
    const declaredAt = same ? stored.value.declaredAt : now;
    const value = { spec, generation, order, declaredAt, ...(manager === undefined ? {} : { managedBy: manager }) };
    return { applied, write: { kind, key: spec.name, value, expect: stored.revision } as Write };
  });
}

/** The order of a pool's sizes has a meaning (they are tried in it); that of other keys has none. */
function sameSpec(a: Spec, b: Spec): boolean {
  const sizes = (spec: Spec) => ("sizes" in spec ? Object.keys(spec.sizes) : []);
  return isDeepStrictEqual(a, b) && isDeepStrictEqual(sizes(a), sizes(b));
}

function checkGeneration(store: Reader, kind: DeclaredKind, name: string, ifGeneration: number | undefined): void {
  if (ifGeneration === undefined) return;
  const generation = store.get(kind, name)?.value.generation;
  if ((generation ?? 0) === ifGeneration) return;
  const expected = ifGeneration === 0 ? "not to exist" : `to have generation ${ifGeneration}`;
  const found = generation === undefined ? "it does not exist" : `it has generation ${generation}`;
  throw new FireRunnerError("FR-CONFLICT", `${kind} "${name}" was expected ${expected}, but ${found}; read it again`);
}

/** The name stands in the address; a body may repeat it, but not contradict it. */
function named(kind: DeclaredKind, name: string, body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new FireRunnerError("FR-INVALID", `${kind} "${name}": the body is refused: must be the specification as a JSON object`);
  }
  if ("name" in body && body.name !== name) {
    throw new FireRunnerError(
      "FR-INVALID",
      `${kind} "${name}": name: ${JSON.stringify(body.name)} is refused: must be "${name}", as in the address`,
    );
  }
  return { ...body, name };
}

function fleetOf(kind: DeclaredKind, spec: Spec): Fleet {
  const empty: Fleet = { hosts: [], images: [], connections: [], pools: [] };
  return { ...empty, [fleetLists[kind]]: [spec] };
}

/** In the answer about one record its fields are named as in its own body. */
function aboutOne(error: unknown, kind: DeclaredKind, name: string): unknown {
  if (!(error instanceof FireRunnerError) || error.code !== "FR-INVALID") return error;
  const prefix = `${fleetLists[kind]}[0].`;
  const refused = (error.details.refusals as readonly Refusal[]).map(({ field, message }) => ({
    field: field.startsWith(prefix) ? field.slice(prefix.length) : field,
    message,
  }));
  return new FireRunnerError("FR-INVALID", refused.map(({ field, message }) => `${kind} "${name}": ${field}: ${message}`).join("\n"), {
    details: { refusals: refused },
  });
}
