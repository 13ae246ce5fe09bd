import type { z } from "zod";
import { FireRunnerError } from "./errors.js";

/** One refused value: where it stands, what stands there and what would be accepted. */
export interface Refusal {
  readonly field: string;
  readonly message: string;
}

/** Fields that hold references to secrets: what stands there may be a secret that was put in its reference's place. */
const secretFields: ReadonlySet<PropertyKey> = new Set(["token", "secret", "signingToken", "key", "password", "sentinelPassword"]);

/** The refusals of a zod error in words for people, one for each field. `value` is what was parsed; secrets are not repeated. */
export function refusals(error: z.ZodError, value: unknown): readonly Refusal[] {
  const first = new Map<string, Refusal>();
  for (const refusal of error.issues.flatMap((issue) => explain(issue, value))) {
    if (!first.has(refusal.field)) first.set(refusal.field, refusal);
  }
  return [...first.values()];
}

/** Parses, or throws `FR-INVALID` with one line per refused field; `what` names the whole, for example `pool "small"`. */
export function parseOrRefuse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = refusals(parsed.error, value);
  throw new FireRunnerError("FR-INVALID", found.map((refusal) => `${what}: ${refusal.field}: ${refusal.message}`).join("\n"), {
    details: { refusals: found },
  });
}

function explain(issue: z.core.$ZodIssue, value: unknown): readonly Refusal[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ field: path([...issue.path, key]), message: "is not a known field" }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    // The branch that objects least is the one that was meant.
    const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? [];
    return closest.flatMap((inner) => explain({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, value));
  }
  const found = at(value, issue.path);
  const repeated = secretFields.has(issue.path.at(-1) ?? "") ? "the value" : withoutLogin(JSON.stringify(found));
  const shown = found === undefined ? "is missing" : `${repeated} is refused`;
  return [{ field: path(issue.path), message: `${shown}: ${issue.message}` }];
}

/** A URL may hold a user and a password: neither is repeated. */
const withoutLogin = (text: string | undefined): string | undefined => text?.replace(/:\/\/[^/\s"]*@/g, "://***@");

function at(value: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

function path(keys: readonly PropertyKey[]): string {
  if (keys.length === 0) return "(the whole)";
  return keys.map((key, index) => (typeof key === "number" ? `[${key}]` : index === 0 ? String(key) : `.${String(key)}`)).join("");
}
