import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FireRunnerError } from "../model/errors.js";

/** A file or folder of `images/` in this installation, be it sources or a package; `FR-CONFIG` when it is not there. */
export function recipe(path: string): string {
  // Beside the sources `reconciler/` lies in the package's root, once built in `dist/`.
  const candidates = ["../../images/", "../../../images/"].map((up) => fileURLToPath(new URL(`${up}${path}`, import.meta.url)));
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found !== undefined) return found;
  throw new FireRunnerError("FR-CONFIG", `images/${path} is missing: looked at ${candidates.join(" and ")}; install the package again`);
}
