import { z } from "zod";
import { timestampSchema } from "./fields.js";

/** Something that happened; append-only. `seq` is given by the store and grows without end. */
export const eventSchema = z.strictObject({
  seq: z.int().positive(),
  at: timestampSchema,
  /** CamelCase, as Kubernetes names its events' reasons: `MicrovmCreated`, `JobFinished`. */
  type: z.string().min(1),
  subject: z.strictObject({ kind: z.string().min(1), name: z.string().min(1) }),
  message: z.string(),
  traceId: z.string().optional(),
});
export type Event = z.output<typeof eventSchema>;
/** An event that the store has not numbered yet. */
export type NewEvent = Omit<Event, "seq">;
