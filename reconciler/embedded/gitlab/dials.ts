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
 * answer. `delay`: looked at only after so many milliseconds. `hang`: never looked at and never answered.
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
  z.strictObject({ kind: z.literal("hang"), path, times }),
]);
export type Fault = z.output<typeof faultSchema>;

const share = z.number().min(0).max(1);
const rate = { requests: z.int().positive().max(1_000_000), periodS: z.int().positive().max(86_400).default(60) };
const runners = z.int().nonnegative();

/**
 * How many requests are let through in each period; whoever has more gets 429. `perToken` counts all requests of an
 * access token (GitLab.com: 2,000 a minute); while it is set every answer tells in `RateLimit-*` what is left. `endpoints`
 * count the requests of each token whose method and path match (GitLab: 600 a minute for a project's list of jobs).
 */
const rateLimitsSchema = z.strictObject({
  perToken: z.strictObject(rate).optional(),
  endpoints: z
    .array(z.strictObject({ path, ...rate }))
    .max(100)
    .default([]),
});

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
      /** Each waits up to so long, by chance: they arrive in any order. */
      jitterMs: z.int().nonnegative().max(600_000).default(0),
      /** So many are sent at a time; where it is more than one they may overtake each other, as GitLab's do. */
      lanes: z.int().min(1).max(100).default(4),
      /** Whether signing tokens are known; GitLab takes them without a word and signs nothing while its flag is off. */
      signing: z.boolean().default(true),
      /** Whether hooks whose deliveries fail are disabled. */
      autoDisable: z.boolean().default(true),
      /** GitLab's Silent Mode: nothing is sent, and nothing tells so. */
      silent: z.boolean().default(false),
      /** Beyond so many for one top-level namespace in a minute they are dropped; no limit when left out. */
      callsPerMinute: z.int().nonnegative().optional(),
      /** How many tests, and how many repetitions, of a hook one user may ask for in a minute (GitLab: 5); no limit when left out. */
      testsPerMinute: z.int().positive().optional(),
    })
    .prefault({}),
  rateLimits: rateLimitsSchema.prefault({}),
  /** Whether groups can have hooks, as from GitLab Premium on. */
  groupHooks: z.boolean().default(true),
  /** How many runners a project or group may have that were made or heard within a week. */
  runnerLimit: z.union([runners, z.strictObject({ project: runners.default(1000), group: runners.default(1000) })]).default(1000),
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
