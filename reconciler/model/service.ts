import { z } from "zod";
import { countSchema, secretRefSchema } from "./fields.js";
import { ownerSchema } from "./mark.js";
import { redisSettingsSchema } from "./redis-settings.js";

const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

/** Where a listener binds and how it speaks. Beyond loopback it needs TLS, unless `insecure: true` is said by name. */
const listenerFields = (listen: string) => ({
  listen: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/, "must be ADDRESS:PORT, for example 127.0.0.1:8470")
    .default(listen),
  tls: z.strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) }).optional(),
  insecure: z.boolean().default(false),
});
const listenerSchema = (listen: string) => z.strictObject(listenerFields(listen)).superRefine(refuseExposure);
export type Listener = z.output<ReturnType<typeof listenerSchema>>;

/** One that others must know an address of. */
const reachableListenerSchema = (listen: string) =>
  z
    .strictObject({
      ...listenerFields(listen),
      /** How it is reached: the public one by forges, to register webhooks there; the admin one by the other replicas. */
      url: z
        .url({ protocol: /^https?$/, error: "must be an http or https URL" })
        .transform((url) => url.replace(/\/+$/, ""))
        .optional(),
    })
    .superRefine(refuseExposure);

function refuseExposure(
  listener: { readonly listen: string; readonly tls?: unknown; readonly insecure: boolean },
  context: z.core.$RefinementCtx,
): void {
  const address = listener.listen.slice(0, listener.listen.lastIndexOf(":"));
  if (listener.tls !== undefined || listener.insecure || loopback.test(address)) return;
  context.addIssue({
    code: "custom",
    path: ["listen"],
    message: "is reachable beyond this machine: give tls {certFile, keyFile}, bind to 127.0.0.1, or say insecure: true",
    input: listener.listen,
  });
}

const seconds = (fallback: number) => countSchema.max(86_400).default(fallback);

const serviceFields = z.strictObject({
  /** Whose microVMs and runners these are: part of every name that hosts and forges see. */
  owner: ownerSchema,
  /** Where the service keeps its own files (store, key, admin token) unless they are given below. */
  stateDir: z.string().min(1).default("./firerunner-state"),
  store: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("sqlite"), path: z.string().min(1).optional() }),
      z.strictObject({ kind: z.literal("memory") }),
      redisSettingsSchema,
    ])
    .default({ kind: "sqlite" }),
  /** The key that seals secrets in the store and signs marks: 64 hex digits. Made in `stateDir` when left out. */
  key: secretRefSchema.optional(),
  listeners: z
    .strictObject({
      public: reachableListenerSchema("127.0.0.1:8470").prefault({}),
      guest: listenerSchema("127.0.0.1:8471").prefault({}),
      admin: reachableListenerSchema("127.0.0.1:8472").prefault({}),
    })
    .prefault({}),
  guest: z
    .strictObject({
      /** How guests reach the guest listener; its own address when left out. */
      url: z.url({ protocol: /^https?$/ }).optional(),
      /** The certificate authority that guests trust, as PEM. */
      caFile: z.string().min(1).optional(),
    })
    .prefault({}),
  admin: z
    .strictObject({
      /** The bearer token of the admin API. Made in `stateDir` when left out. */
      token: secretRefSchema.optional(),
    })
    .prefault({}),
  schedules: z
    .strictObject({
      /** How often each forge is asked for its waiting and running jobs. */
      pollS: seconds(10),
      /** How often while webhooks tell of everything. */
      pollHealthyS: seconds(60),
      /** How often each host is asked for its microVMs. */
      listHostsS: seconds(10),
      /** How often forges are searched for runners that nobody needs. */
      sweepS: seconds(60),
      /** How long a runner is left alone between its pause and the question what it runs. */
      settleS: seconds(5),
    })
    .prefault({}),
  /** For so long after it was told to end it says that it is not ready, and takes what still comes. */
  drainS: z.int("must be a whole number").min(0, "must be 0 or more").max(600).default(0),
  /** A fleet file that is applied at start. */
  fleetFile: z.string().min(1).optional(),
  telemetry: z.strictObject({ logLevel: z.enum(["debug", "info", "warn", "error"]).default("info") }).prefault({}),
});

/** `firerunner.yaml`: what one service process needs to know. Everything but `owner` has a default. */
export const serviceSchema = serviceFields.superRefine(({ store, key }, context) => {
  if (store.kind !== "redis" || key !== undefined) return;
  const message = "must be given with a store in Redis: all replicas need the same one";
  context.addIssue({ code: "custom", path: ["key"], message, input: key });
});
export type Service = z.output<typeof serviceSchema>;
export type ServiceInput = z.input<typeof serviceSchema>;
