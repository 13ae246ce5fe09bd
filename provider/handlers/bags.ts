import { isDeepStrictEqual } from "node:util";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import type { Bag } from "./handler.js";

export const isBag = (value: unknown): value is Bag => typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether two values say the same, whatever the order of their keys: states and wires do not keep it. */
export const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(plain(a), plain(b));

/**
 * A copy in which nothing is undefined: only null, booleans, finite numbers, text, arrays and plain objects can be kept.
 * Anything else is a fault of ours and refused before it becomes a half-written state.
 */
function plain(value: unknown, path = "outputs"): unknown {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.map((item, index) => plain(item, `${path}[${index}]`) ?? null);
  if (typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value))) return plainBag(value as Bag, path);
  throw new FireRunnerError("FR-INTERNAL", `${path}: a ${typeof value} cannot be kept in a state`);
}

/** `plain` of an object. */
export function plainBag(bag: Bag, path = "outputs"): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(bag).flatMap(([key, value]) => {
      const kept = plain(value, `${path}.${key}`);
      return kept === undefined ? [] : [[key, kept]];
    }),
  );
}

/** The values of `completed` whose keys stand in `given` too: what was written, in its normal form, without defaults. */
export function asGiven(completed: unknown, given: unknown): unknown {
  if (!isBag(completed) || !isBag(given)) return completed;
  return Object.fromEntries(Object.entries(completed).flatMap(([key, value]) => (key in given ? [[key, asGiven(value, given[key])]] : [])));
}

/** The paths (`placement.strategy`) of what stands in `completed` and was not given. */
export function defaultsIn(completed: Bag, given: Bag, prefix = ""): readonly string[] {
  return Object.entries(completed).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const path = `${prefix}${key}`;
    const own = given[key];
    if (own === undefined) return [path];
    return isBag(value) && isBag(own) ? defaultsIn(value, own, `${path}.`) : [];
  });
}

/** `live` without what was a default in `before` and is one still. */
export function withoutDefaults(live: Bag, before: Bag, defaults: ReadonlySet<string>, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(live).flatMap(([key, value]) => {
      const path = `${prefix}${key}`;
      const old = before[key];
      if (defaults.has(path) && same(value, old)) return [];
      return [[key, isBag(value) && isBag(old) ? withoutDefaults(value, old, defaults, `${path}.`) : value]];
    }),
  );
}
