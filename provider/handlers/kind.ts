import type { z } from "zod";
import type { DeclaredKind, Spec } from "../../reconciler/model/declared.js";
import type { Refusal } from "../../reconciler/model/validation.js";
import type { WhenUsed } from "../admin-api.js";
import type { Bag, Context } from "./handler.js";

/** How one kind of record differs from the others. */
export interface KindDefinition<K extends DeclaredKind = DeclaredKind> {
  readonly kind: K;
  /** Inputs of the resource that are no part of the record's specification. */
  readonly own: Readonly<Record<string, z.ZodType>>;
  /** Inputs for whose change the record is made anew. */
  readonly replacedBy: readonly string[];
  /** Whether two records of the kind that differ in their names only cannot be there at once. */
  readonly alone: boolean;
  /** How long a removal waits unless `timeouts.deleteS` says so, in seconds. */
  readonly deleteS: (spec: Spec<K>) => number;
  /** What a removal asks for while the record is used. */
  readonly whenUsed: (inputs: Bag) => WhenUsed;
  /** Completes checked inputs from elsewhere. */
  readonly complete?: (inputs: Bag, signal: AbortSignal) => Promise<{ readonly inputs: Bag; readonly failures: readonly Refusal[] }>;
  /** The specification that is written, of the one that was declared. */
  readonly written?: (spec: Spec<K>, inputs: Bag) => Spec<K>;
  /** The reverse: what was declared when this is written now, and the own inputs that changed with it. */
  readonly declared?: (written: Spec<K>, outs: Bag) => { readonly spec: Spec<K>; readonly own: Bag };
  /** Further outputs. With `wait` they may wait for the first answer from the other side. */
  readonly observe?: (context: Context, spec: Spec<K>, wait: boolean) => Promise<Bag>;
}
