import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Why the modules in `folder` cannot be built, and how to get what is missing; undefined when they can. `env` says where
 * `go` is looked for.
 */
export function whyNoGo(folder: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const needed = /^go (\S+)$/m.exec(readFileSync(join(folder, "go.mod"), "utf8"))?.[1] ?? "";
  const get = `get Go ${needed} or newer from https://go.dev/dl (Debian's golang may be too old), then run \`npm run setup\` again`;
  const go = (...args: string[]) => spawnSync("go", args, { cwd: folder, env, encoding: "utf8", timeout: 300_000 });
  // Asked for within the module: a Go that can fetch a newer one for it answers with that, one that must not refuses.
  const { status, stdout, error } = go("env", "GOVERSION");
  if (error !== undefined) return `there is no Go on PATH: ${get}`;
  const version = stdout.trim().replace(/^go/, "");
  if (status === 0 && !isOlder(version, needed)) return undefined;
  return `the Go on PATH is too old${version === "" ? "" : ` (${version})`}: ${get}`;
}

function isOlder(version: string, needed: string): boolean {
  const [own = [], least = []] = [version, needed].map((text) => text.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0));
  const index = least.findIndex((part, place) => (own[place] ?? 0) !== part);
  return index >= 0 && (own[index] ?? 0) < (least[index] ?? 0);
}
