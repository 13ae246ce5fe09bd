import { z } from "zod";
import { connectionSchema } from "./connection.js";
import { managedBySchema, timestampSchema } from "./fields.js";
import { hostSchema } from "./host.js";
import { imageSchema } from "./image.js";
import { poolSchema } from "./pool.js";

/** The kinds that people declare, with the schema of each: the admin API, the fleet file, the store and Pulumi share them. */
export const declaredSchemas = { host: hostSchema, image: imageSchema, connection: connectionSchema, pool: poolSchema } as const;

export type DeclaredKind = keyof typeof declaredSchemas;
export const declaredKinds = ["host", "image", "connection", "pool"] as const satisfies readonly DeclaredKind[];

/** The specification of a declared kind, defaults filled in. */
export type Spec<K extends DeclaredKind = DeclaredKind> = z.output<(typeof declaredSchemas)[K]>;

/**
 * A declared record as it is stored. `generation` counts changes of `spec` and of nothing else; `order` is the place
 * in which pools are tried (first declared first). `managedBy` names what declares it, when that says so: a label for
 * people and for tools that must not overwrite each other.
 */
export const declaredRecordSchema = <S extends z.ZodType>(spec: S) =>
  z.strictObject({
    spec,
    generation: z.int().positive(),
    order: z.int().nonnegative(),
    declaredAt: timestampSchema,
    managedBy: managedBySchema.optional(),
  });

export interface Declared<S> {
  readonly spec: S;
  readonly generation: number;
  readonly order: number;
  readonly declaredAt: number;
  readonly managedBy?: string | undefined;
}
