import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** The programs of a suite, or the one line that says why there are none. */
export type FoundFlintlockd =
  | { readonly kind: "found"; readonly path: string }
  | { readonly kind: "missing" /** One line. */; readonly reason: string };

const suite = "real flintlockd";
const programs = ["qemu-system-x86_64", "skopeo", "umoci", "docker-registry", "mke2fs", "ip", "go"];

/**
 * A flintlockd (`FIRERUNNER_FLINTLOCKD`, or on PATH) on a machine that can run it. Throws where one was named that is not
 * there, or where one is there and something else that the tests need is not: then they are wanted.
 */
export function findFlintlockd(env: Readonly<Record<string, string | undefined>>): FoundFlintlockd {
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = (name: string) => folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  const named = env.FIRERUNNER_FLINTLOCKD;
  if (named && !existsSync(named)) throw new Error(`FIRERUNNER_FLINTLOCKD: there is no "${named}"`);
  const path = named ? resolve(named) : onPath("flintlockd");
  if (path === undefined) return { kind: "missing", reason: `${suite} (no flintlockd on PATH, and FIRERUNNER_FLINTLOCKD names none)` };
  const lacking = programs.filter((program) => onPath(program) === undefined);
  if (process.getuid?.() !== 0) lacking.push("root's rights");
  if (lacking.length > 0) throw new Error(`${suite}: there is ${path}, but this machine lacks ${lacking.join(", ")} (npm run setup)`);
  return { kind: "found", path };
}
