import { z } from "zod";
import { scopeSchema } from "./connection.js";
import { nameSchema, tagSchema, timestampSchema } from "./fields.js";

/**
 * A runner in the forge, made for one microVM; the key is the microVM's name.
 * `wanted`: to be made. `ready`: made, its token sealed until delivered. `leaving`: to be paused, checked and deleted.
 */
const identityStates = ["wanted", "ready", "leaving"] as const;

export const identitySchema = z.strictObject({
  vm: z.string().min(1),
  connection: nameSchema,
  /** `firerunner/<owner>/<pool>/<vm>`: how the runner is found again. */
  description: z.string().min(1).max(255),
  tags: z.array(tagSchema),
  runUntagged: z.boolean(),
  /** Takes jobs of protected refs only. */
  protectedOnly: z.boolean().optional(),
  /** What of the forge it serves: its connection's scope when it was decided on. Of one that was found it is not known. */
  scope: scopeSchema.optional(),
  maxJobTimeoutS: z.int().positive(),
  state: z.enum(identityStates),
  /** How often the forge was asked to make it: after the first time the forge is searched for the description before another. */
  attempts: z.int().nonnegative(),
  runnerId: z.int().positive().optional(),
  /** The address of the forge where `runnerId` is its number. */
  forge: z.string().optional(),
  /** The runner's token, sealed; removed as soon as the guest has started its runner. */
  sealedToken: z.string().optional(),
  pausedAt: timestampSchema.optional(),
  /** What the forge answered last when asked for its running jobs. */
  runningJobs: z.strictObject({ count: z.int().nonnegative(), at: timestampSchema }).optional(),
  /** The forge was searched and has no such runner (any more). */
  absent: z.boolean().optional(),
  /** When its microVM was confirmed gone: nothing can run on it any more. */
  vmGoneAt: timestampSchema.optional(),
  /** Its microVM was gone before the forge was asked what the runner ran: that is asked before the runner is deleted. */
  jobsUnread: z.boolean().optional(),
});
export type Identity = z.output<typeof identitySchema>;

/** A runner's description: the mark by which the forge's side of a microVM is found. */
export const runnerDescription = (owner: string, pool: string, vm: string): string => `firerunner/${owner}/${pool}/${vm}`;

/** The parts of such a description, or undefined when it is not one of `owner`. */
export function parseRunnerDescription(owner: string, description: string): { pool: string; vm: string } | undefined {
  const [product, whose, pool, vm, ...rest] = description.split("/");
  return product === "firerunner" && whose === owner && pool !== undefined && vm !== undefined && vm !== "" && rest.length === 0
    ? { pool, vm }
    : undefined;
}
