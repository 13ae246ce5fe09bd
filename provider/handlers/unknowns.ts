import { z } from "zod";
import { type Refusal, refusals } from "../../reconciler/model/validation.js";

/** What stands in a preview for a value that is known only when something else is made, whatever the value's type. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Whether a value is unknown, or something in it. */
export function hasUnknown(value: unknown): boolean {
  if (value === unknown) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(hasUnknown);
}

/**
 * What is wrong with a value as far as it is known: what stands in the place of an unknown is accepted, and so is what
 * depends on one. A field that does not exist is refused beside unknowns too.
 */
export function knownRefusals(schema: z.ZodType, value: unknown): readonly Refusal[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  const known = parsed.error.issues.filter((issue) => issue.code === "unrecognized_keys" || !hasUnknown(at(value, issue.path)));
  return refusals(new z.ZodError(known), value);
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}
