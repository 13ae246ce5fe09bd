import { z } from "zod";
import { timestampSchema } from "./fields.js";

/** What is true of a record now; the key is `<kind>/<name>/<type>`. */
export const conditionSchema = z.strictObject({
  subject: z.strictObject({ kind: z.string().min(1), name: z.string().min(1) }),
  type: z.string().min(1),
  status: z.boolean(),
  reason: z.string().min(1),
  message: z.string(),
  observedAt: timestampSchema,
  /** How often in a row it happened, and until when it holds back new work. */
  count: z.int().nonnegative().default(0),
  until: timestampSchema.optional(),
});
export type Condition = z.output<typeof conditionSchema>;

export const conditionKey = (condition: Pick<Condition, "subject" | "type">): string =>
  `${condition.subject.kind}/${condition.subject.name}/${condition.type}`;
