import type { Bag } from "./handler.js";

/**
 * The form of the outputs that a state keeps. 0: without a number, the specification and its generation alone. 1: with
 * `defaults` (the paths that the user did not write) and `managedBy`.
 */
export const schemaVersion = 1;

/** What a tool keeps beside inputs and outputs: its own code. */
const loaderKey = "__provider";

/** Inputs without the tool's own keys. */
export function ownInputs(bag: Bag): Bag {
  const { [loaderKey]: _loader, ...own } = bag;
  return own;
}

/**
 * Outputs that any earlier version wrote, in today's form. Those of a later version are taken as they are: fields that
 * are not known here are left alone, so that a removal works with every version.
 */
export function migrated(outs: Bag): Bag {
  const own = ownInputs(outs);
  return typeof own.schemaVersion === "number" ? own : { ...own, defaults: [], schemaVersion };
}

/** The paths of what was a default when the outputs were written. */
export function defaultsOf(outs: Bag): ReadonlySet<string> {
  return new Set(Array.isArray(outs.defaults) ? outs.defaults.filter((path) => typeof path === "string") : []);
}
