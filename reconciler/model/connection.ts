import { z } from "zod";
import { countSchema, nameSchema, secretRefSchema } from "./fields.js";

/** What of the forge a connection and its runners serve. */
export const scopeSchema = z.union([
  z.strictObject({ projectId: countSchema }),
  z.strictObject({ groupId: countSchema }),
  z.strictObject({ instance: z.literal(true) }),
]);
export type Scope = z.output<typeof scopeSchema>;

/** One forge and one credential for it. */
export const connectionSchema = z.strictObject({
  name: nameSchema,
  kind: z.literal("gitlab"),
  /** The forge's address without a path beyond its own root, for example `https://gitlab.example.com`. */
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).transform((url) => url.replace(/\/+$/, "")),
  /** A token that may create runners and read jobs (GitLab: `api`, or `create_runner`, `manage_runner` and `read_api`). */
  token: secretRefSchema,
  scope: scopeSchema,
  webhook: z
    .strictObject({
      /** What GitLab sends as `X-Gitlab-Token`. */
      secret: secretRefSchema.optional(),
      /** GitLab's signing token (`whsec_…`). */
      signingToken: secretRefSchema.optional(),
      /** While a secret is being changed: the one before, which is accepted as well. */
      previousSecret: secretRefSchema.optional(),
      previousSigningToken: secretRefSchema.optional(),
      /** Whether the service makes and keeps the forge's webhook itself: it needs `listeners.public.url`, and a token that may. */
      register: z.boolean().default(false),
    })
    .prefault({}),
  /** How many requests a minute its credential may make; without it, what the forge itself says. */
  maxRequestsPerMinute: countSchema.optional(),
  /** Whether a runner that never takes a job is kept for each class whose jobs wait long, so that the forge does not give them up. */
  presenceRunners: z.boolean().default(true),
});
export type Connection = z.output<typeof connectionSchema>;
export type ConnectionInput = z.input<typeof connectionSchema>;

/** Where a connection's forge posts its webhooks, on the public listener at `publicUrl`. */
export const webhookUrlOf = (publicUrl: string, name: string): string => `${publicUrl}/webhooks/gitlab/${name}`;
