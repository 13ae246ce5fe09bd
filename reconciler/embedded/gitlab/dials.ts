import { z } from "zod";

const path = z
  .string()
  .max(500)
  .refine((text) => {
    try {
      new RegExp(text);
      return true;
    } catch {
      return false;
    }
  }, "must be a regular expression");
const times = z.int().positive().max(1_000_000).optional();

/**
 * Something that goes wrong with requests. `path` is a regular expression over method and path (`POST /api/v4/jobs/request`);
 * `times` says how often, left out means always.
 * `answer`: answered with a status instead of being looked at. `lostReply`: done, but the connection breaks before the
 * answer. `delay`: looked at only after so many milliseconds.
 */
const faultSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("answer"),
    path,
    status: z.int().min(200).max(599),
    retryAfterS: z.int().nonnegative().optional(),
    times,
  }),
  z.strictObject({ kind: z.literal("lostReply"), path, times }),
  z.strictObject({ kind: z.literal("delay"), path, ms: z.int().nonnegative().max(600_000), times }),
]);
export type Fault = z.output<typeof faultSchema>;

const share = z.number().min(0).max(1);

/** What may be set while this GitLab runs, to make it behave as a real one does on a bad day. */
export const dialsSchema = z.strictObject({
  faults: z.array(faultSchema).max(100).default([]),
  /** What happens to webhooks on their way: shares of them are lost or sent twice, all wait, batches arrive in reverse order. */
  hooks: z
    .strictObject({
      dropShare: share.default(0),
      duplicateShare: share.default(0),
      delayMs: z.int().nonnegative().max(600_000).default(0),
      /** So many are held back and then sent last first; 1 keeps their order. */
      reverseBatch: z.int().min(1).max(1000).default(1),
      /** An incomplete batch is sent after this time. */
      reverseWaitMs: z.int().positive().max(600_000).default(1000),
    })
    .prefault({}),
  /** How many runners a project or group may have. */
  runnerLimit: z.int().nonnegative().default(1000),
  /** How long `jobs/request` is held when there is no job; 0 answers at once, as a self-managed GitLab does by default. */
  longPollMs: z.int().nonnegative().max(120_000).default(0),
  /** What runners are told about how often to send their log. */
  traceIntervalS: z.int().positive().max(60).default(3),
  /** When the server gives jobs up by itself. */
  patience: z
    .strictObject({
      silentMs: z.int().positive().default(3_600_000),
      timeoutMarginMs: z.int().nonnegative().default(300_000),
      stuckMs: z.int().positive().default(3_600_000),
      pendingMs: z.int().positive().default(86_400_000),
    })
    .prefault({}),
});
export type Dials = z.output<typeof dialsSchema>;
export type DialsInput = z.input<typeof dialsSchema>;
