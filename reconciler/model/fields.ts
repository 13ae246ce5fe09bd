import { z } from "zod";

/** A name as Kubernetes writes them: a DNS label. */
export const nameSchema = z
  .string()
  .max(40, "must be at most 40 characters")
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "must be lower-case letters, digits and '-', beginning and ending with a letter or digit");

/** Where a secret is kept: `env:NAME` or `file:PATH`. The secret itself never stands in a declaration. */
export const secretRefSchema = z.string().regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, "must be env:NAME or file:PATH");

/** A point in time: whole milliseconds since the Unix epoch. */
export const timestampSchema = z.int().nonnegative();

/** A whole number above zero. */
export const countSchema = z.int("must be a whole number").positive("must be above 0");

/** A tag of a job or runner, as GitLab accepts it: any text up to 255 characters. */
export const tagSchema = z.string().min(1).max(255);

/** Free key/value labels, used by placement selectors. */
export const labelsSchema = z.record(z.string().min(1).max(63), z.string().max(63));

/** Who declares a record, for example `pulumi:PROJECT/STACK/RESOURCE`. */
export const managedBySchema = z
  .string()
  .max(300, "must be at most 300 characters")
  .regex(/^[!-~]([ -~]*[!-~])?$/, "must be printable ASCII");
