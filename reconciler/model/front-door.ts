import { z } from "zod";
import { nameSchema, timestampSchema } from "./fields.js";

/** What an operator did. It is a record of its own, so that it never moves a declared record's generation. */
export const operationSchema = z.strictObject({
  subject: z.strictObject({ kind: z.enum(["host", "pool", "microvm"]), name: z.string().min(1) }),
  operation: z.enum(["cordon", "drain", "pause", "forget"]),
  by: z.string().min(1).max(200),
  at: timestampSchema,
  /** With `drain` of a host: when jobs that still run there end as well; without it they are waited for. */
  deadlineAt: timestampSchema.optional(),
  /** When it ends by itself: a removal renews its drain for as long as somebody waits for it. */
  until: timestampSchema.optional(),
});
export type Operation = z.output<typeof operationSchema>;

/** The key of an operation: told twice it is one record, and its opposite (uncordon, resume) removes it. */
export const operationKey = ({ subject, operation }: Pick<Operation, "subject" | "operation">): string =>
  `${subject.kind}/${subject.name}/${operation}`;

/** "Look at this job" — or, without a `jobId`, at the project's waiting jobs. It says nothing about what is true. */
export const hintSchema = z.strictObject({
  connection: nameSchema,
  projectId: z.int().positive(),
  jobId: z.int().positive().optional(),
  firstSeenAt: timestampSchema,
  /** When a webhook told of it last; a poll's own hint has none. */
  hookedAt: timestampSchema.optional(),
});
export type Hint = z.output<typeof hintSchema>;

/** The key of a hint: hints for one job are one record, however many hooks arrive. */
export function hintKey(hint: Pick<Hint, "connection" | "projectId" | "jobId">): string {
  return `${hint.connection}/${hint.projectId}/${hint.jobId ?? "all"}`;
}

/** What a guest said so far; the key is the microVM's name. Written by the guest listener alone. */
export const guestReportSchema = z.strictObject({
  vm: z.string().min(1),
  bootId: z.string().min(1).max(128),
  /** SHA-256 of the session secret, in hex: the secret itself never reaches the store. */
  secretSha256: z.string().regex(/^[0-9a-f]{64}$/),
  claimedAt: timestampSchema,
  /** How far its boot was when, in milliseconds since its kernel began, by the guest's own clock: `init`, `network`, `claim`. */
  bootMs: z.record(z.string(), z.int().nonnegative()).optional(),
  /** When the monitor of its microVM began, by its host's clock, where that was told. */
  monitorBeganAt: timestampSchema.optional(),
  /** When the guest said that its runner has started and the configuration is no longer needed. */
  startedAt: timestampSchema.optional(),
  done: z
    .strictObject({
      at: timestampSchema,
      exitCode: z.int(),
      reason: z.enum(["finished", "refused", "failed"]),
      /** What was wrong, in the guest's own words. */
      why: z.string().max(300).optional(),
    })
    .optional(),
  /** A claim that must not have happened: another boot, or another secret within one boot. */
  fault: z.strictObject({ at: timestampSchema, code: z.enum(["FR-GUEST-RESTARTED", "FR-GUEST-INCIDENT"]) }).optional(),
});
export type GuestReport = z.output<typeof guestReportSchema>;
