import { createHash } from "node:crypto";

const maxStem = 32;

/**
 * The name that a resource gets on the reconciler when it is given none. It is the same in every run, so that what an
 * interrupted run has made is found again, and another one in every stack.
 */
export function autoName(scope: string, name: string): string {
  const suffix = createHash("sha256").update(`${scope}/${name}`).digest("hex").slice(0, 7);
  const stem = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, maxStem)
    .replace(/^-+|-+$/g, "");
  return stem === "" ? suffix : `${stem}-${suffix}`;
}
