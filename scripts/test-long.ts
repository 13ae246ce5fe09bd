import { spawnSync } from "node:child_process";
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

step("10,000 seeds of the simulated world", () => {
  const env = { ...process.env, FIRERUNNER_SEEDS: "10000" };
  return (
    spawnSync("npx", ["vitest", "run", "--project", "unit", "reconciler/simulator/seeds.test.ts"], {
      cwd: root,
      stdio: "inherit",
      env,
      timeout: 3_600_000,
    }).status ?? 1
  );
});
for (const { version, node } of otherNodes())
  step(`all suites on Node ${version}`, () => testUnder(node, ["--project", "unit", "--project", "e2e"]));
step("long suites", () => testUnder(process.execPath, ["--project", "long", "--passWithNoTests"]));
step("many microVMs, and guests that die", () => testUnder(process.execPath, ["--project", "images-long"]));
process.exitCode = failures === 0 ? 0 : 1;
