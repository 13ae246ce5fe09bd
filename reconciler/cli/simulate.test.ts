import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "./cli-world.fixture.js";
import { tallyText } from "./simulate-text.js";
import type { Terminal } from "./terminal.js";

const plain: Pick<Terminal, "style"> = { style: (text) => text };

it("plays seeds and tells how much they did", async () => {
  const { code, out } = await run(["simulate", "--seed", "2", "--seeds", "2", "--workers", "1"]);
  expect(code).toBe(0);
  expect(out).toMatch(/^2 seeds from 2 on: \d+ jobs, \d+ microVMs made and gone in .* VM lifecycles\/s\)\nno invariant was broken\n$/);
});

it("plays a seed again in the same way, with parts of it alone, and prints what happened", async () => {
  const [first, again] = [await run(["simulate", "--seed", "3", "--trace"]), await run(["simulate", "--seed", "3", "--trace"])];
  expect(first.out).toBe(again.out);
  expect(first.out).toContain("0 process-1 starts");
  const { out } = await run(["simulate", "--seed", "3", "--only", "push.1", "-o", "json"]);
  expect(JSON.parse(out)).toMatchObject({ seed: 3, jobs: 1, violations: [], struck: {} });
});

it.each([
  [["--seed", "minus"], '--seed "minus" is refused: must be a whole number from 0 to 4294967295'],
  [["--seeds", "0"], '--seeds "0" is refused: must be a whole number from 1 to 100000000'],
  [["--jobs", "1.5"], '--jobs "1.5" is refused: must be a whole number from 1 to 100000'],
  [["--seeds", "2", "--trace"], "--only and --trace go with one seed"],
])("refuses %j as wrong usage", async (args, message) => {
  const { code, err } = await run(["simulate", ...args]);
  expect([code, err]).toEqual([2, `error: ${message} (see firerunner --help)\n`]);
});

it("plays a job history, and refuses one with its line and field", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fr-simulate-"));
  try {
    const file = join(directory, "day.csv");
    const header = "created_at,duration_s,tags,project_id";
    writeFileSync(file, `${header}\n2026-03-02T09:15:00Z,30,vm,7\n2026-03-02T09:15:10Z,30,vm,7\n`);
    const { code, out } = await run(["simulate", "--scenario", file, "--hosts", "1"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^2 of 2 jobs ended within .*; 2 microVMs\nwaiting: p50 .*, p90 .*, p99 .*, max .*\nHOST /);
    writeFileSync(file, `${header}\n2026-03-02T09:15:00Z,30,vm,seven\n`);
    const refused = await run(["simulate", "--scenario", file]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`${file}:2: project_id: "seven" is refused: must be a whole number above 0`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it("names what a seed that breaks something takes, and how to see it again", async () => {
  const broken = [{ seed: 17, violations: ["I2: pool pool has 4 of 3 (seed 17, at 4000 ms)"] }];
  const finding = {
    seed: 17,
    violations: broken[0]?.violations ?? [],
    parts: ["crash.1", "push.3"],
    of: 21,
    trace: ["3900 a process is killed"],
  };
  const tally = { seed: 1, seeds: 20, jobs: 2_000, lifecycles: 1_900, seconds: 10, broken };
  expect(tallyText(tally, [finding], 100, plain).split("\n")).toEqual([
    "20 seeds from 1 on: 2000 jobs, 1900 microVMs made and gone in 10.0 s (200 jobs/s, 190 VM lifecycles/s)",
    "an invariant was broken by 1 of them: 17",
    "",
    "seed 17",
    "  I2: pool pool has 4 of 3 (seed 17, at 4000 ms)",
    "  takes 2 of its 21 faults and steps; the last that happened:",
    "    3900 a process is killed",
    "  replay: firerunner simulate --seed 17 --jobs 100 --only crash.1,push.3 --trace",
  ]);
});
