import { z } from "zod";
import { timestampSchema } from "./fields.js";
import { poolSchema } from "./pool.js";

/** What becomes of a job whose microVM was lost. */
const lossPolicySchema = poolSchema.shape.onVmLoss.unwrap();
export type LossPolicy = z.output<typeof lossPolicySchema>;

/**
 * The loss of the microVM that a job ran on, and what was done about the job. Each `…At` is written down before the forge
 * is asked, so that nobody asks a second time without looking first.
 */
export const vmLossSchema = z.strictObject({
  at: timestampSchema,
  /** Why the microVM counts as lost. */
  code: z.string().regex(/^FR-/),
  message: z.string(),
  /** What its pool said then. */
  policy: lossPolicySchema,
  /** When the forge, asked after the loss, said that the job still runs. */
  confirmedAt: timestampSchema.optional(),
  /** Where people see the job, as the forge told. */
  url: z.string().optional(),
  /** When the forge was asked first to cancel the job, and to end it although its runner does not answer. */
  cancelAskedAt: timestampSchema.optional(),
  forceAskedAt: timestampSchema.optional(),
  /** When it was asked first to retry the job, and the job that came of it. */
  retryAskedAt: timestampSchema.optional(),
  retriedAs: z.int().positive().optional(),
  /** Why nothing more is asked of the forge. */
  givenUp: z.strictObject({ code: z.string().regex(/^FR-/), message: z.string() }).optional(),
});
export type VmLoss = z.output<typeof vmLossSchema>;
