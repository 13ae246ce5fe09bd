import { z } from "zod";
import { secretRefSchema } from "./fields.js";

const endpointSchema = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/@]+):\d{1,5}$/, "must be HOST:PORT, for example 10.0.0.5:26379")
  .transform((text) => {
    const colon = text.lastIndexOf(":");
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
  });

const urlForm = /^rediss?:\/\/(\[[0-9a-fA-F:]+\]|[^\s:/@]+)(:\d{1,5})?(\/\d{1,4})?$/;
const urlSchema = z
  .string()
  .regex(urlForm, "must be redis://HOST:PORT or rediss://HOST:PORT, with /NUMBER for another database; the password goes into `password`")
  .transform((text) => {
    const { protocol, hostname, port, pathname } = new URL(text);
    return {
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? 6379 : Number(port),
      database: Number(pathname.slice(1)),
      tls: protocol === "rediss:",
    };
  });

/** Where the store of several replicas is: one Redis server, or the master that Sentinels know by name. */
export const redisSettingsSchema = z
  .strictObject({
    kind: z.literal("redis"),
    url: urlSchema.optional(),
    sentinels: z.array(endpointSchema).min(1, "must name at least one").max(16).optional(),
    /** By which the Sentinels know the master. */
    name: z.string().min(1).optional(),
    username: z.string().min(1).optional(),
    password: secretRefSchema.optional(),
    sentinelPassword: secretRefSchema.optional(),
    /** Begins every key; `firerunner:OWNER` when left out. */
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9][-A-Za-z0-9._:]{0,99}$/, "must be at most 100 letters, digits and . _ : -, beginning with a letter or digit")
      .optional(),
    tls: z
      .strictObject({
        caFile: z.string().min(1).optional(),
        certFile: z.string().min(1).optional(),
        keyFile: z.string().min(1).optional(),
      })
      .optional(),
    /** How many replicas of Redis must have a lease before it counts, and what a credential rests on before it is delivered. */
    minReplicas: z.int("must be a whole number").min(0).max(8).default(0),
  })
  .superRefine(({ url, sentinels, name, sentinelPassword, tls }, context) => {
    const refuse = (field: string, message: string, input: unknown) => context.addIssue({ code: "custom", path: [field], message, input });
    if (url === undefined && sentinels === undefined) refuse("url", "must be given, or `sentinels` and `name`", url);
    if (url !== undefined && sentinels !== undefined) refuse("sentinels", "must be left out where there is a `url`", sentinels);
    if (sentinels !== undefined && name === undefined) refuse("name", "must be the name by which the Sentinels know the master", name);
    if (sentinels === undefined && name !== undefined) refuse("name", "must be left out without `sentinels`", name);
    if (sentinels === undefined && sentinelPassword !== undefined) {
      refuse("sentinelPassword", "must be left out without `sentinels`", sentinelPassword);
    }
    if (url?.tls === false && tls !== undefined) refuse("tls", "needs a url that begins with rediss://", tls);
    if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined))
      refuse("tls", "must have both certFile and keyFile, or neither", tls);
  });
export type RedisSettings = z.output<typeof redisSettingsSchema>;
