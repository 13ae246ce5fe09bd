import { z } from "zod";
import { nameSchema, tagSchema, timestampSchema } from "./fields.js";
import { sizeSchema } from "./pool.js";

/** The way of a microVM. Gone is not a phase: the record is removed. */
export const phases = ["allocated", "creating", "booting", "parked", "assigned", "busy", "draining", "deleting"] as const;
export const phaseSchema = z.enum(phases);

/** One machine for one job. `name` is its Flintlock id and is never used twice. */
export const microvmSchema = z.strictObject({
  name: z.string().min(1).max(32),
  pool: nameSchema,
  connection: nameSchema,
  image: nameSchema,
  /** What its image stood for when it was made (`bootsOf`); unknown of one that was adopted. */
  boots: z.string().optional(),
  /** Its host was not known to have run its images when it was made: it pulls them first. */
  firstUse: z.literal(true).optional(),
  sizeName: tagSchema,
  size: sizeSchema,
  host: nameSchema,
  phase: phaseSchema,
  /** The id that the host gave it. */
  uid: z.string().optional(),
  /** Its address in CIDR form, when the host's network is static. */
  address: z.string().optional(),
  mac: z.string(),
  allocatedAt: timestampSchema,
  /** When Create was sent. It is sent once; after a doubtful answer the host is searched for the name. */
  createSentAt: timestampSchema.optional(),
  createdAt: timestampSchema.optional(),
  claimedAt: timestampSchema.optional(),
  assignedAt: timestampSchema.optional(),
  busyAt: timestampSchema.optional(),
  drainingAt: timestampSchema.optional(),
  /** When the host was known not to have it (any more): then nothing of it can be left there. */
  absentAt: timestampSchema.optional(),
  /** When nothing was in the way of its Delete any more. */
  deletingAt: timestampSchema.optional(),
  /** When the host accepted a Delete. */
  deleteAcceptedAt: timestampSchema.optional(),
  /** When a Delete was last sent again, or sent without an answer. */
  deleteTriedAt: timestampSchema.optional(),
  /** Whether it has, or will have, a runner identity (its key is the microVM's name). */
  identity: z.boolean(),
  /** When it was decided that it serves a waiting job: from then on it is committed supply. */
  committedAt: timestampSchema.optional(),
  /** The key of the job that it runs or ran. */
  job: z.string().optional(),
  /** After this it is removed even when its job runs on. */
  jobDeadlineAt: timestampSchema.optional(),
  /** When its time was up and its guest was to be told to end its job; the deadline is then a little later. */
  endAskedAt: timestampSchema.optional(),
  failure: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
});
export type Microvm = z.output<typeof microvmSchema>;

/** Whether it is on its way to a job, as supply for its class. */
export const isSupply = (vm: Microvm): boolean => vm.phase !== "busy" && !isLeaving(vm);

/** Whether it was told to go: from here it never returns to supply. */
export const isLeaving = (vm: Microvm): boolean => vm.phase === "draining" || vm.phase === "deleting";
