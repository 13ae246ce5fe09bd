import { z } from "zod";
import { bootStages } from "../../model/boot-stages.js";
import { conditionSchema } from "../../model/condition.js";
import { declaredKinds } from "../../model/declared.js";
import { type ErrorCode, errorCodes } from "../../model/errors.js";
import { eventSchema } from "../../model/event.js";
import { timestampSchema } from "../../model/fields.js";
import { operationSchema } from "../../model/front-door.js";
import { hostImagesSchema } from "../../model/host-images.js";
import { jobStatusSchema } from "../../model/job.js";
import type { Replica } from "../../model/replica.js";
import type { JobExplanation } from "../explain-job.js";
import type { HostStatus } from "../host-status.js";
import type { PlannedChange, PlanView } from "../plan-view.js";
import type { ConnectionStatus } from "../routes/connections.js";
import type { Readiness } from "../routes/health.js";
import type { Leftover, SweepView } from "../sweep-view.js";

/**
 * What answers are that are no records. Each is held against its type here; that nothing more is answered than they say is
 * tested on a running service.
 */
const text = z.string();
const count = z.int().nonnegative();
const room = z.strictObject({ vcpu: z.number().nonnegative(), memoryMb: count, microvms: count });

export const errorView = z.strictObject({
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  message: text,
  details: z.record(text, z.unknown()).exactOptional(),
});

const check = z.strictObject({ name: text, ok: z.boolean(), required: z.boolean(), message: text.exactOptional() });
const standing = z.strictObject({
  name: text,
  leading: z.boolean(),
  epoch: text.exactOptional(),
  storeLagMs: z.number().nonnegative(),
  replicas: count,
});
export const checksView = z.strictObject({ replica: standing.exactOptional(), checks: z.array(check) }) satisfies z.ZodType<Readiness>;
export const readinessView = checksView.extend({ ready: z.boolean() });

export const replicaView = z.strictObject({
  name: text,
  isThis: z.boolean(),
  adminUrl: text,
  version: text,
  startedAt: timestampSchema,
  epoch: text.exactOptional(),
  revision: count,
  behind: count,
  toldAt: timestampSchema,
}) satisfies z.ZodType<Replica>;

export const hostStatusView = z.strictObject({
  name: text,
  reachable: z.enum(["yes", "no", "unknown"]),
  message: text.exactOptional(),
  standing: z.enum(["open", "cordoned", "draining", "forgotten"]),
  lastReadAt: timestampSchema.exactOptional(),
  shownMicrovms: count.exactOptional(),
  used: room,
  total: room,
  images: hostImagesSchema.shape.images,
  operations: z.array(operationSchema),
  conditions: z.array(conditionSchema),
}) satisfies z.ZodType<HostStatus>;

export const connectionStatusView = z.strictObject({
  name: text,
  webhookUrl: text.nullable(),
  usable: z.boolean().nullable(),
  webhookRegistered: z.boolean().nullable(),
  conditions: z.array(conditionSchema),
}) satisfies z.ZodType<ConnectionStatus>;

export const explanationView = z.strictObject({
  key: text,
  status: jobStatusSchema,
  summary: text,
  code: text.exactOptional(),
  facts: z.array(text),
  steps: z.array(z.strictObject({ at: timestampSchema, what: text })),
}) satisfies z.ZodType<JobExplanation>;

const plannedChange = z.strictObject({
  kind: z.enum(["job", "microvm", "identity", "presence", "condition", "hostImages", "hint", "guestReport", "deadLetter"]),
  name: text,
  action: z.enum(["create", "change", "remove"]),
  what: text,
  code: text.exactOptional(),
}) satisfies z.ZodType<PlannedChange>;

type ShownPlan = Omit<PlanView, "calls"> & {
  readonly calls: readonly { readonly effect: { readonly kind: string }; readonly why: string }[];
};

export const planView = z.strictObject({
  at: timestampSchema,
  changes: z.array(plannedChange),
  /** What each call acts on differs by its kind: those of the table of effects. */
  calls: z.array(z.strictObject({ effect: z.looseObject({ kind: text }), why: text })),
  events: z.array(eventSchema.omit({ seq: true })),
  underWay: z.array(z.strictObject({ call: text, until: timestampSchema.exactOptional() })),
  wakeAt: timestampSchema.exactOptional(),
}) satisfies z.ZodType<ShownPlan>;

const leftover = z.strictObject({
  kind: z.enum(["microvm", "runner", "record"]),
  name: text,
  where: text,
  why: text,
  code: text.exactOptional(),
}) satisfies z.ZodType<Leftover>;
const readAt = z.array(z.strictObject({ name: text, at: timestampSchema.exactOptional() }));

export const sweepView = z.strictObject({
  at: timestampSchema,
  removes: z.array(leftover),
  underWay: z.array(leftover),
  leftAlone: z.array(z.strictObject({ host: text, message: text })),
  read: z.strictObject({ hosts: readAt, connections: readAt }),
}) satisfies z.ZodType<SweepView>;

export const sweepBegunView = z.strictObject({ hosts: z.array(text), connections: z.array(text) });
export const operationsView = z.strictObject({ operations: z.array(operationSchema) });
export const usedByView = z.strictObject({ usedBy: z.array(text) });
export const appliedView = z.strictObject({
  results: z.array(
    z.strictObject({
      kind: z.enum(declaredKinds),
      name: text,
      outcome: z.enum(["created", "changed", "reordered", "unchanged"]),
      generation: z.int().positive(),
    }),
  ),
});
export const bootView = z.array(z.strictObject({ stage: z.enum(bootStages), tookMs: z.number().nonnegative() }));
export const outcomeView = z.strictObject({ outcome: text });
