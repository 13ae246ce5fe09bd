import { fileURLToPath } from "node:url";

/**
 * The command that starts this runner as a process of its own, without its arguments: what a `fr-runner` on a PATH has
 * to run. From a checkout it needs tsx, since Node does not read TypeScript by itself.
 */
export function runnerEntry(): readonly [string, ...string[]] {
  const isSource = import.meta.url.endsWith(".ts");
  const bin = fileURLToPath(new URL(isSource ? "bin.ts" : "bin.js", import.meta.url));
  return isSource ? [process.execPath, "--import", import.meta.resolve("tsx"), bin] : [process.execPath, bin];
}
