import type { DeclaredKind, Spec } from "../../reconciler/model/declared.js";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import { type AdminApi, type DeclaredAnswer, getDeclared, putDeclared } from "../admin-api.js";
import { same } from "./bags.js";

/** A record that appears and vanishes while it is written is somebody else's quarrel. */
const maxAttempts = 3;

/**
 * Writes a record that must be new, or takes over one that an interrupted run has made: one of the same manager, or of
 * nobody with the same specification. Any other is `FR-CONFLICT`, naming who manages it.
 */
export async function writeNew<K extends DeclaredKind>(
  api: AdminApi,
  kind: K,
  spec: Spec<K>,
  managedBy: string | undefined,
): Promise<DeclaredAnswer<K>> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await putDeclared(api, kind, spec, { ifGeneration: 0, managedBy });
    } catch (caught) {
      if (!isConflict(caught) || attempt === maxAttempts) throw caught;
    }
    const found = await getDeclared(api, kind, spec.name);
    if (found === undefined) continue;
    const own = managedBy !== undefined && found.managedBy === managedBy;
    if (!own && found.managedBy !== undefined) refuseForeign(kind, spec.name, found.managedBy, [managedBy]);
    if (!own && !same(found.spec, spec)) throw otherSpec(kind, found, spec);
    try {
      return await putDeclared(api, kind, spec, { ifGeneration: found.generation, managedBy });
    } catch (caught) {
      if (!isConflict(caught)) throw caught;
    }
  }
}

/** What a state knows about a record. */
interface Known<K extends DeclaredKind> {
  readonly generation: unknown;
  readonly managedBy: string | undefined;
  readonly spec: Spec<K> | undefined;
}

/**
 * Writes a changed record, unless somebody else changed it since the state saw it last (`FR-CONFLICT`). What is written
 * already, by an interrupted run, is left as it is; what was removed meanwhile is made again.
 */
export async function writeChanged<K extends DeclaredKind>(
  api: AdminApi,
  kind: K,
  spec: Spec<K>,
  managedBy: string | undefined,
  known: Known<K>,
): Promise<DeclaredAnswer<K>> {
  const found = await getDeclared(api, kind, spec.name);
  if (found === undefined) return writeNew(api, kind, spec, managedBy);
  refuseForeign(kind, spec.name, found.managedBy, [managedBy, known.managedBy]);
  const untouched = found.generation === known.generation || same(found.spec, known.spec) || same(found.spec, spec);
  if (!untouched) {
    const fields = known.spec === undefined ? "" : ` (${differingFields(found.spec, known.spec).join(", ")})`;
    throw new FireRunnerError(
      "FR-CONFLICT",
      `${kind} "${spec.name}" was changed by somebody else${fields}: its generation is ${found.generation}, this state knows ${String(known.generation)}; refresh, look at the difference, and repeat`,
    );
  }
  return putDeclared(api, kind, spec, { ifGeneration: found.generation, managedBy });
}

/** Throws `FR-CONFLICT` when a record is managed by somebody who is not one of `own`. */
export function refuseForeign(kind: DeclaredKind, name: string, managedBy: string | undefined, own: readonly (string | undefined)[]): void {
  if (managedBy === undefined || own.includes(managedBy)) return;
  throw new FireRunnerError(
    "FR-CONFLICT",
    `${kind} "${name}" is managed by ${managedBy}; change or remove it there, give this one another name, or take it out of this state`,
  );
}

function otherSpec<K extends DeclaredKind>(kind: K, found: DeclaredAnswer<K>, spec: Spec<K>): FireRunnerError {
  const fields = differingFields(found.spec, spec).join(", ");
  return new FireRunnerError(
    "FR-CONFLICT",
    `${kind} "${spec.name}" exists already and differs in ${fields}; nobody says that they manage it (a fleet file, perhaps): import it, or give this one another name`,
  );
}

function differingFields(a: object, b: object): readonly string[] {
  const [left, right] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((field) => !same(left[field], right[field]));
}

const isConflict = (caught: unknown): boolean => caught instanceof FireRunnerError && caught.code === "FR-CONFLICT";
