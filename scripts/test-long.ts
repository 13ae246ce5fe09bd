import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { otherNodes, testUnder } from "./other-nodes.js";

/** What takes too long for every change: all suites on every supported Node, many seeds, the long chaos runs. */
const root = fileURLToPath(new URL("..", import.meta.url));
let failures = 0;

function step(name: string, run: () => number): void {
  const began = performance.now();
  const status = run();
  if (status !== 0) failures += 1;
  console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(6)} s  ${name}: ${status === 0 ? "passed" : "FAILED"}`);
}

/** The command line of this checkout. */
function firerunner(...args: readonly string[]): number {
  return (
    spawnSync(process.execPath, ["--import", "tsx", "reconciler/cli/bin.ts", ...args], { cwd: root, stdio: "inherit", timeout: 43_200_000 })
      .status ?? 1
  );
}

/** A million jobs take hours: what was played of this commit is kept, and the next run goes on after it. */
const seeds = process.env.FIRERUNNER_LONG_SEEDS ?? "10000";
const commit = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).stdout.trim() || "unknown";
mkdirSync(join(root, ".cache"), { recursive: true });
const record = join(root, ".cache", `simulated-${commit}.jsonl`);
step(`${seeds} seeds of the simulated world with 100 jobs each`, () =>
  firerunner("simulate", "--seeds", seeds, "--jobs", "100", "--record", record),
);
step("every point of the crash matrix", () => {
  const env = { ...process.env, FIRERUNNER_CRASH_EVERY: "1" };
  const args = ["vitest", "run", "--project", "unit", "reconciler/simulator/crash-matrix.test.ts"];
  return spawnSync("npx", args, { cwd: root, stdio: "inherit", env, timeout: 1_800_000 }).status ?? 1;
});
for (const { version, node } of otherNodes())
  step(`all suites on Node ${version}`, () => testUnder(node, ["--project", "unit", "--project", "e2e"]));
step("long suites", () => testUnder(process.execPath, ["--project", "long", "--passWithNoTests"]));
step("many microVMs, and guests that die", () => testUnder(process.execPath, ["--project", "images-long"]));
process.exitCode = failures === 0 ? 0 : 1;
