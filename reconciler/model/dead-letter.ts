import { z } from "zod";
import { timestampSchema } from "./fields.js";

/** How many of its failures a letter keeps: the newest. */
export const keptFailures = 10;
/** Longer texts of failures are cut. */
const longestFailureText = 500;

/** What an action was about: those of these that name its subject. */
const targetSchema = z.strictObject({
  connection: z.string().min(1).optional(),
  projectId: z.int().positive().optional(),
  jobId: z.int().positive().optional(),
  host: z.string().min(1).optional(),
  vm: z.string().min(1).optional(),
  uid: z.string().min(1).optional(),
  runnerId: z.int().positive().optional(),
  presence: z.string().min(1).optional(),
  step: z.string().min(1).optional(),
  /** The record that cannot be decided upon: its kind and key. */
  record: z.strictObject({ kind: z.enum(["job", "hint", "host"]), key: z.string().min(1) }).optional(),
  /** SHA-256 of the webhook's body, in hex: the body itself is not kept, because it may hold secrets of people's pipelines. */
  bodySha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});

/**
 * Something that failed beyond its budget and was set aside, with its history. The key is `<action>:<subject>`. It goes when
 * the action succeeds, or when nothing needs it any more.
 */
export const deadLetterSchema = z.strictObject({
  /** The kind of an effect; `decide` for a record that no plan can be made with; `webhook` for one that cannot be read. */
  action: z.string().min(1),
  target: targetSchema,
  /** What becomes of it: it is tried slowly all the same, it rests until somebody asks for it, or there is nothing to try. */
  tried: z.enum(["slowly", "when-asked", "never"]),
  attempts: z.int().positive(),
  firstFailureAt: timestampSchema,
  lastFailureAt: timestampSchema,
  parkedAt: timestampSchema,
  /** The newest failures, oldest first. */
  failures: z
    .array(z.strictObject({ at: timestampSchema, code: z.string().regex(/^FR-/), message: z.string().max(longestFailureText) }))
    .min(1)
    .max(keptFailures),
  /** What an operator asked for and the leader has not done yet. */
  asked: z.strictObject({ what: z.enum(["retry", "drop"]), by: z.string().min(1).max(200), at: timestampSchema }).optional(),
});
export type DeadLetter = z.output<typeof deadLetterSchema>;
export type FailureNote = DeadLetter["failures"][number];

/** A failure as letters keep it. */
export const failureNote = (at: number, { code, message }: { readonly code: string; readonly message: string }): FailureNote => ({
  at,
  code,
  message: message.slice(0, longestFailureText),
});
