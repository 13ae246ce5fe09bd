import { z } from "zod";
import { badParameter, type Refusal } from "./refusal.js";

/** A yes or no, as JSON or as forms write it. */
export const flag = z.union([
  z.boolean(),
  z.stringbool({ truthy: ["true", "1", "t", "yes", "on"], falsy: ["false", "0", "f", "no", "off"] }),
]);

export const wholeNumber = z.coerce.number().int();

/** Several texts: a list, or one text with commas. */
export const texts = z.union([z.array(z.string()), z.string().transform((text) => splitList(text))]);

const splitList = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

/**
 * The parameters of a request, from its query and its body together; `a[]` and `a` are the same, unknown ones are
 * passed over. Throws GitLab's 400 for the first that is missing or of the wrong kind; what it says otherwise of a wrong
 * value stands in `refusals`.
 */
export function parametersOf<S extends z.ZodType>(
  schema: S,
  request: { readonly query: unknown; readonly body?: unknown },
  refusals: Readonly<Record<string, () => Refusal>> = {},
): z.output<S> {
  const given = { ...fieldsOf(request.query), ...fieldsOf(request.body) };
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const field = String(parsed.error.issues[0]?.path[0] ?? "request");
  const refusal = refusals[field];
  if (refusal !== undefined && given[field] !== undefined) throw refusal();
  throw badParameter(given[field] === undefined ? `${field} is missing` : `${field} does not have a valid value`);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Buffer.isBuffer(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([key, held]) =>
      key.endsWith("[]") ? [key.slice(0, -2), Array.isArray(held) ? held : [held]] : [key, held],
    ),
  );
}
