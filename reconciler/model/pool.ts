import { z } from "zod";
import { countSchema, labelsSchema, nameSchema, tagSchema } from "./fields.js";

/** Flintlock boots nothing smaller, and nothing larger. */
const memoryMbSchema = countSchema.min(1024, "must be at least 1024, the least that Flintlock boots").max(32_768, "must be at most 32768");

/** How big a microVM is. vCPUs are 1 or even, and at most 32, as Firecracker accepts them. */
export const sizeSchema = z.strictObject({
  vcpu: countSchema.max(32, "must be at most 32").refine((n) => n === 1 || n % 2 === 0, "must be 1 or an even number"),
  memoryMb: memoryMbSchema,
});
export type Size = z.output<typeof sizeSchema>;

/** What jobs get: which forge's jobs, which machine, how many. */
export const poolSchema = z
  .strictObject({
    name: nameSchema,
    connection: nameSchema,
    image: nameSchema,
    /** Tags of the pool's runners. A job is taken when all its tags are among these and its size's tag. */
    tags: z.array(tagSchema).max(50).default([]),
    runUntagged: z.boolean().default(false),
    /** Sizes by the job tag that asks for them. */
    sizes: z.record(tagSchema, sizeSchema).refine((sizes) => Object.keys(sizes).length > 0, "must name at least one size"),
    /** The size of jobs whose tags ask for none. */
    size: tagSchema,
    /** The largest size that a job may ask for by a tag such as `4cpu-8gb`. Without it, jobs get the named sizes and no other. */
    limits: z.strictObject({ vcpu: countSchema.max(32, "must be at most 32"), memoryMb: memoryMbSchema }).optional(),
    /** How many claimed microVMs without a credential are kept ready. */
    minIdle: z.int().nonnegative("must be 0 or more").default(0),
    /** How long a microVM beyond `minIdle` may idle. */
    idleTimeS: z.int().nonnegative().default(300),
    maxMicrovms: countSchema,
    maxJobTimeoutS: countSchema.max(7 * 86_400).default(3600),
    /** How long a microVM may take from Create to its claim. */
    bootTimeoutS: countSchema.max(3600).default(120),
    /** After how many failed tries of its host a microVM is replaced elsewhere; the host itself goes on for 22 minutes. */
    createTries: countSchema.max(10).default(3),
    /** Pools of a higher priority get room first. */
    priority: z.int().default(0),
    placement: z
      .strictObject({ strategy: z.enum(["spread", "binpack"]).default("spread"), selector: labelsSchema.default({}) })
      .prefault({}),
  })
  .superRefine((pool, context) => {
    if (pool.sizes[pool.size] === undefined) {
      context.addIssue({
        code: "custom",
        path: ["size"],
        message: `must be one of the sizes: ${Object.keys(pool.sizes).join(", ")}`,
        input: pool.size,
      });
    }
    if (pool.minIdle > pool.maxMicrovms) {
      context.addIssue({
        code: "custom",
        path: ["minIdle"],
        message: `must be at most maxMicrovms (${pool.maxMicrovms})`,
        input: pool.minIdle,
      });
    }
    if (pool.tags.length === 0 && !pool.runUntagged) {
      context.addIssue({
        code: "custom",
        path: ["tags"],
        message: "must name a tag unless runUntagged is true: no job would ever match",
        input: pool.tags,
      });
    }
  });
export type Pool = z.output<typeof poolSchema>;
export type PoolInput = z.input<typeof poolSchema>;
