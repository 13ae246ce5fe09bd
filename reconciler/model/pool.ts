import { z } from "zod";
import { countSchema, labelsSchema, nameSchema, tagSchema } from "./fields.js";
import { parsePeriod } from "./period.js";
import { isTimeZone } from "./time-zone.js";

/** Flintlock boots nothing smaller, and nothing larger. */
const memoryMbSchema = countSchema.min(1024, "must be at least 1024, the least that Flintlock boots").max(32_768, "must be at most 32768");

/** How big a microVM is. vCPUs are 1 or even, and at most 32, as Firecracker accepts them. */
export const sizeSchema = z.strictObject({
  vcpu: countSchema.max(32, "must be at most 32").refine((n) => n === 1 || n % 2 === 0, "must be 1 or an even number"),
  memoryMb: memoryMbSchema,
});
export type Size = z.output<typeof sizeSchema>;

/** How many microVMs without a credential are kept ready, in GitLab's words: `idle_count`, `idle_time`, `scale_factor` and its limit. */
const idleFields = {
  /** How many claimed microVMs without a credential are kept ready. */
  minIdle: z.int().nonnegative("must be 0 or more").default(0),
  /** How long a microVM beyond the kept ones may idle. */
  idleTimeS: z.int().nonnegative().default(300),
  /** Keeps so many ready for each one in use, when that is more than `minIdle`: 0.5 is one for every two. */
  scaleFactor: z.number().min(0, "must be 0 or more").max(10, "must be at most 10").default(0),
  /** How many `scaleFactor` keeps ready at most; 0 is no limit. */
  scaleFactorLimit: z.int().nonnegative("must be 0 or more").default(0),
};

const periodSchema = z
  .string()
  .max(200, "must be at most 200 characters")
  .superRefine((text, context) => {
    const period = parsePeriod(text);
    if ("why" in period)
      context.addIssue({ code: "custom", message: `must be a cron expression such as "* 8-18 * * 1-5": ${period.why}`, input: text });
  });

/** Other numbers for some hours. `periods` are cron expressions of five fields that name the minutes in which they hold. */
export const idlePolicySchema = z.strictObject({
  periods: z.array(periodSchema).min(1, "must name at least one period").max(20),
  /** An IANA time zone, for example `Europe/Berlin`. */
  timezone: z.string().refine(isTimeZone, "must be an IANA time zone that this machine knows, such as Europe/Berlin or UTC").default("UTC"),
  ...idleFields,
});
export type IdlePolicy = z.output<typeof idlePolicySchema>;

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
    /** Takes jobs of protected refs only (`ref_protected`), or of any (`not_protected`), as GitLab's runners do. */
    accessLevel: z.enum(["not_protected", "ref_protected"]).default("not_protected"),
    /** The only projects whose jobs are taken; without it, all of the connection's scope. */
    projectIds: z.array(countSchema).min(1, "must name at least one project").max(1000).optional(),
    ...idleFields,
    /** Policies for some hours; of those whose period holds the last one counts, and without one the pool's own numbers. */
    idlePolicies: z.array(idlePolicySchema).max(20).default([]),
    maxMicrovms: countSchema,
    /** How many of them one project's jobs get at most. */
    maxMicrovmsPerProject: countSchema.optional(),
    maxJobTimeoutS: countSchema.max(7 * 86_400).default(3600),
    /** How long a microVM may take from Create to its claim. */
    bootTimeoutS: countSchema.max(3600).default(120),
    /** After how many failed tries of its host a microVM is replaced elsewhere; the host itself goes on for 22 minutes. */
    createTries: countSchema.max(10).default(3),
    /** What becomes of a job whose microVM was lost: it is told of, cancelled, or cancelled and retried once per job name and pipeline. */
    onVmLoss: z.enum(["report", "cancel", "cancel-and-retry"]).default("report"),
    /** What runs the job's commands inside its microVM: gitlab-runner's `shell`, or `docker` where the image has an engine. */
    executor: z.enum(["shell", "docker"]).default("shell"),
    /** With `executor: docker`: the container image of jobs that name none. */
    docker: z.strictObject({ image: z.string().min(1).max(500) }).optional(),
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
    pool.idlePolicies.forEach(({ minIdle }, index) => {
      if (minIdle <= pool.maxMicrovms) return;
      context.addIssue({
        code: "custom",
        path: ["idlePolicies", index, "minIdle"],
        message: `must be at most maxMicrovms (${pool.maxMicrovms})`,
        input: minIdle,
      });
    });
    if (pool.executor === "docker" && pool.docker === undefined) {
      context.addIssue({
        code: "custom",
        path: ["docker"],
        message: "must be given with executor docker, as {image}",
        input: pool.docker,
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
