import { z } from "zod";
import { type DeclaredKind, declaredRecordSchema, declaredSchemas } from "../../model/declared.js";
import { eventSchema } from "../../model/event.js";
import { fleetSchema } from "../../model/fleet.js";
import { operationSchema } from "../../model/front-door.js";
import { recordSchemas } from "../../model/records.js";
import { operationBodies } from "../routes/operations.js";
import * as views from "./views.js";

/** What is sent has its defaults left out; what is answered has them filled in. */
interface NamedSchema {
  readonly schema: z.ZodType;
  readonly io: "input" | "output";
}

const sent = (schema: z.ZodType): NamedSchema => ({ schema, io: "input" });
const answered = (schema: z.ZodType): NamedSchema => ({ schema, io: "output" });

/** A declared record as it is shown; with what operators said of it, where anything can be. */
const shown = (kind: DeclaredKind): NamedSchema => {
  const record: z.ZodObject = declaredRecordSchema(declaredSchemas[kind]);
  return answered(kind === "host" || kind === "pool" ? record.extend({ operations: z.array(operationSchema) }) : record);
};
const key = { key: z.string() };

/** Everything that goes over the wire as JSON, by the name that it has in the document. */
export const schemas = {
  HostSpec: sent(declaredSchemas.host),
  ImageSpec: sent(declaredSchemas.image),
  ConnectionSpec: sent(declaredSchemas.connection),
  PoolSpec: sent(declaredSchemas.pool),
  Fleet: sent(fleetSchema),
  Drain: sent(operationBodies.drain),
  Forget: sent(operationBodies.forget),
  Nothing: sent(z.strictObject({})),
  Webhook: sent(z.looseObject({})),
  Host: shown("host"),
  Image: shown("image"),
  Connection: shown("connection"),
  Pool: shown("pool"),
  Applied: answered(views.appliedView),
  UsedBy: answered(views.usedByView),
  Operations: answered(views.operationsView),
  HostStatus: answered(views.hostStatusView),
  ConnectionStatus: answered(views.connectionStatusView),
  Microvm: answered(recordSchemas.microvm.extend({ boot: views.bootView.optional() })),
  Identity: answered(recordSchemas.identity.omit({ sealedToken: true }).extend({ tokenHeld: z.boolean() })),
  Job: answered(recordSchemas.job.extend(key)),
  JobExplanation: answered(views.explanationView),
  Event: answered(eventSchema),
  Condition: answered(recordSchemas.condition),
  DeadLetter: answered(recordSchemas.deadLetter.extend(key)),
  Plan: answered(views.planView),
  Sweep: answered(views.sweepView),
  SweepBegun: answered(views.sweepBegunView),
  Replica: answered(views.replicaView),
  Checks: answered(views.checksView),
  Readiness: answered(views.readinessView),
  Health: answered(z.strictObject({ status: z.literal("ok") })),
  WebhookOutcome: answered(views.outcomeView),
  Document: answered(z.looseObject({ openapi: z.string() })),
  Error: answered(views.errorView),
} as const satisfies Record<string, NamedSchema>;

export type SchemaName = keyof typeof schemas;
