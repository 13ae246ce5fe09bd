import type { Condition } from "./condition.js";
import { conditionSchema } from "./condition.js";
import type { Connection } from "./connection.js";
import { type DeadLetter, deadLetterSchema } from "./dead-letter.js";
import { type Declared, declaredRecordSchema, declaredSchemas } from "./declared.js";
import { type GuestReport, guestReportSchema, type Hint, hintSchema, type Operation, operationSchema } from "./front-door.js";
import type { Host } from "./host.js";
import { type HostImages, hostImagesSchema } from "./host-images.js";
import { type Identity, identitySchema } from "./identity.js";
import type { Image } from "./image.js";
import { type Job, jobSchema } from "./job.js";
import { type Microvm, microvmSchema } from "./microvm.js";
import type { Pool } from "./pool.js";
import { type Presence, presenceSchema } from "./presence.js";

/** Every kind of record, and what is stored under it. */
export interface Records {
  readonly host: Declared<Host>;
  readonly image: Declared<Image>;
  readonly connection: Declared<Connection>;
  readonly pool: Declared<Pool>;
  readonly operation: Operation;
  readonly hint: Hint;
  readonly guestReport: GuestReport;
  readonly job: Job;
  readonly microvm: Microvm;
  readonly identity: Identity;
  readonly presence: Presence;
  readonly condition: Condition;
  readonly deadLetter: DeadLetter;
  readonly hostImages: HostImages;
}

export type Kind = keyof Records;

/** The schema of each kind as it is stored; a store checks what it reads from disk against it. */
export const recordSchemas = {
  host: declaredRecordSchema(declaredSchemas.host),
  image: declaredRecordSchema(declaredSchemas.image),
  connection: declaredRecordSchema(declaredSchemas.connection),
  pool: declaredRecordSchema(declaredSchemas.pool),
  operation: operationSchema,
  hint: hintSchema,
  guestReport: guestReportSchema,
  job: jobSchema,
  microvm: microvmSchema,
  identity: identitySchema,
  presence: presenceSchema,
  condition: conditionSchema,
  deadLetter: deadLetterSchema,
  hostImages: hostImagesSchema,
} as const;

export const kinds = Object.keys(recordSchemas) as readonly Kind[];
