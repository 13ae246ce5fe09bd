import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { findFlintlockd } from "./find-flintlockd.js";
import { otherNodes, testUnder } from "./other-nodes.js";

/** One step of the check, with how many of its parts passed and failed. */
interface Outcome {
  readonly step: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** A test, in the fields of Vitest's JSON report. */
interface Assertion {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[] | null;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const outcomes: Outcome[] = [];
/** The failed tests by name with their first line, told again at the end: a log may be cut before them. */
const failures: string[] = [];
/** What was left out, told again at the end. */
const notRun: string[] = [];

/** Runs a command as one step that passes or fails as a whole. */
function check(step: string, command: string, ...args: readonly string[]): void {
  measure(step, () => ok(spawnSync(command, args, { cwd: root, stdio: "inherit", timeout: 900_000 }).status === 0));
}

/** One part of `npm test`, with its tests counted; a skipped test is a failure here. */
function tests(suite: "unit" | "e2e" | "redis" | "pulumi" | "clients" | "images" | "flintlockd"): void {
  measure(`npm test: ${suite}`, () => {
    const report = join(root, ".cache", `${suite}.json`);
    rmSync(report, { force: true });
    const args = ["run", "--silent", `test:${suite}`, "--", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { status } = spawnSync("npm", args, { cwd: root, stdio: "inherit", timeout: 1_200_000 });
    if (!existsSync(report)) return ok(false);
    const summary: unknown = JSON.parse(readFileSync(report, "utf8"));
    failures.push(...failedTests(summary).map((test) => `${suite}: ${test}`));
    const passed = count(summary, "numPassedTests");
    const failed = count(summary, "numFailedTests") + count(summary, "numPendingTests") + count(summary, "numTodoTests");
    // A suite that could not even be loaded has no failed test, but fails the command.
    return { passed, failed: failed === 0 && status !== 0 ? 1 : failed };
  });
}

/** Registries that answer no audit leave the question open: it is said, and counts as neither passed nor failed. */
function audit(): void {
  measure("production dependencies have no known faults", () => {
    const { status, stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], { cwd: root, encoding: "utf8", timeout: 120_000 });
    if (status === 0) return ok(true);
    const answer: unknown = JSON.parse(stdout || "{}");
    if (typeof answer === "object" && answer !== null && "vulnerabilities" in answer) {
      console.log(stdout);
      return ok(false);
    }
    console.log("not checked: this registry answers no audit");
    return { passed: 0, failed: 0 };
  });
}

function count(summary: unknown, field: string): number {
  const value = typeof summary === "object" && summary !== null ? (summary as Record<string, unknown>)[field] : undefined;
  if (typeof value !== "number") throw new Error(`the test report has no ${field}`);
  return value;
}

function failedTests(summary: unknown): string[] {
  const { testResults } = summary as { testResults: { name: string; message: string; assertionResults: Assertion[] }[] };
  return testResults.flatMap(({ name, message, assertionResults }) => [
    ...(message === "" ? [] : [`${relative(root, name)}: ${message}`]),
    ...assertionResults
      .filter(({ status }) => status !== "passed")
      .map(
        ({ status, fullName, failureMessages }) =>
          `${relative(root, name)}: ${fullName}: ${status}\n${(failureMessages ?? []).join("\n").slice(0, 2000)}`,
      ),
  ]);
}

function ok(passed: boolean): Pick<Outcome, "passed" | "failed"> {
  return passed ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

function measure(step: string, run: () => Pick<Outcome, "passed" | "failed">): void {
  console.log(`\n== ${step}`);
  const began = performance.now();
  const result = run();
  outcomes.push({ step, ...result, seconds: (performance.now() - began) / 1000 });
}

mkdirSync(join(root, ".cache"), { recursive: true });
tests("unit");
tests("e2e");
tests("redis");
tests("pulumi");
tests("clients");
tests("images");
const flintlockd = findFlintlockd(process.env);
if (flintlockd.kind === "found") tests("flintlockd");
else notRun.push(flintlockd.reason);
check("lint", "npm", "run", "--silent", "lint");
check("types", "npm", "run", "--silent", "types");
check("layers", "npm", "run", "--silent", "layers");
check("generated code is current", "npm", "run", "--silent", "check:proto");
check("package", "npm", "run", "--silent", "check:package");
audit();
for (const { version, node } of otherNodes()) {
  measure(`smoke on Node ${version}`, () =>
    ok(testUnder(node, ["--project", "unit", "reconciler/model", "reconciler/plan", "reconciler/store"]) === 0),
  );
}
check("smoke of the benchmarks", "npm", "run", "--silent", "bench", "--", "--smoke");

for (const failure of failures) console.log(`\n-- ${failure}`);
console.log("");
for (const { step, passed, failed, seconds } of outcomes)
  console.log(`${seconds.toFixed(1).padStart(7)} s  ${step}: ${passed} passed, ${failed} failed`);
for (const reason of notRun) console.log(`not run: ${reason}`);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
process.exitCode = failed === 0 ? 0 : 1;
console.log(`${outcomes.reduce((sum, outcome) => sum + outcome.passed, 0)} passed, ${failed} failed`);
