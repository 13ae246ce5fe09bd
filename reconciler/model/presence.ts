import { z } from "zod";
import { scopeSchema } from "./connection.js";
import { nameSchema, tagSchema, timestampSchema } from "./fields.js";
import { classKey, type RunnerClass } from "./runner-class.js";

/**
 * How far a presence runner is. `wanted`: to be made, paused. `paused`: the forge has confirmed that it gives the runner
 * nothing. `heard`: it has asked for a job since, and is to be unpaused. `present`: what the forge sees as a runner that
 * is there. `leaving`: to be deleted.
 */
const presenceStates = ["wanted", "paused", "heard", "present", "leaving"] as const;

/**
 * A runner that never takes a job: it is there so that the forge does not give up the jobs of its class, which wait for
 * microVMs whose runners do not exist yet. Its token never leaves the service. The key is its name.
 */
export const presenceSchema = z.strictObject({
  name: z.string().min(1).max(32),
  connection: nameSchema,
  pool: nameSchema,
  size: tagSchema,
  /** `firerunner/<owner>/<pool>/<name>`: how the runner is found again. */
  description: z.string().min(1).max(255),
  tags: z.array(tagSchema),
  runUntagged: z.boolean(),
  protectedOnly: z.boolean(),
  scope: scopeSchema,
  state: z.enum(presenceStates),
  /** How often the forge was asked to make it: after the first time the forge is searched for the description before another. */
  attempts: z.int().nonnegative(),
  runnerId: z.int().positive().optional(),
  /** The address of the forge where `runnerId` is its number. */
  forge: z.string().optional(),
  /** The runner's token, sealed. */
  sealedToken: z.string().optional(),
  /** When the forge heard it last. */
  heardAt: timestampSchema.optional(),
  /** Since when nothing needs it. */
  unneededSince: timestampSchema.optional(),
});
export type Presence = z.output<typeof presenceSchema>;

const base32 = "abcdefghijklmnopqrstuvwxyz234567";

/** The n-th name made of a seed (10 characters a-z2-7), so at most 1024 names a seed; no microVM is called so. */
export const presenceName = (seed: string, n: number): string => `pr-${seed}${base32[Math.floor(n / 32) % 32]}${base32[n % 32]}`;

/** Whether a runner's description is that of a presence runner. */
export const describesPresence = (description: string): boolean => /^firerunner\/[^/]+\/[^/]+\/pr-[^/]+$/.test(description);

/** The class that a presence runner stands for. */
export const presenceClass = ({ pool, size }: Presence): string => classKey({ pool, size } satisfies RunnerClass);

/**
 * GitLab fails a job that has waited for an hour when no runner that could take it is online: one that is not paused and
 * asked for a job within two hours (`Ci::StuckBuilds::DropPendingService`, `Ci::Runner#match_build_if_online?`). It looks
 * once an hour, so this is the earliest time.
 */
const givesUpAfterMs = 3_600_000;

/** When the forge may give up a job that waits since `queuedAt`, unless a presence runner stands for its class. */
export const forgeGivesUpAt = (job: { readonly queuedAt: number }): number => job.queuedAt + givesUpAfterMs;
