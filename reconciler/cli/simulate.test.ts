import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { run } from "./cli-world.fixture.js";
import { rangesLeft } from "./simulate-record.js";
import { tallyText } from "./simulate-text.js";
import type { Terminal } from "./terminal.js";

const seedsIn = (record: string): unknown[] =>
  readFileSync(record, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).seed);
const plain: Pick<Terminal, "style"> = { style: (text) => text };

it("plays seeds and tells how much they did", async () => {
  const { code, out } = await run(["simulate", "--seed", "2", "--seeds", "2", "--workers", "1"]);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^2 seeds from 2 on: \d+ jobs, \d+ microVMs made and gone in .* VM lifecycles\/s\)\nprocessor time: .*\nno invariant was broken\n$/,
  );
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

it("goes on after what a record has, and says what all of it did together", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fr-simulate-"));
  try {
    const record = join(directory, "record.jsonl");
    const args = ["simulate", "--jobs", "2", "--workers", "1", "--record", record, "--seeds"];
    expect((await run([...args, "1"])).code).toBe(0);
    const { code, out } = await run([...args, "3"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^3 seeds from 1 on, 1 of them played before: 6 jobs, \d+ microVMs made and gone\n/);
    expect(seedsIn(record)).toEqual([1, 2, 3]);
    // What was torn when the one before was killed is played again.
    writeFileSync(record, readFileSync(record, "utf8").slice(0, -20));
    expect((await run([...args, "3"])).code).toBe(0);
    const refused = await run(["simulate", "--seeds", "1", "--record", record]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`${record} is of worlds with 2 and not no --jobs`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it("plays what is in no part yet, in ranges of a size at most", () => {
  const part = fc.record({ seed: fc.nat(60), seeds: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(fc.nat(40), fc.integer({ min: 1, max: 40 }), fc.array(part), fc.integer({ min: 1, max: 9 }), (seed, seeds, parts, size) => {
      const each = (range: { readonly seed: number; readonly seeds: number }) =>
        Array.from({ length: range.seeds }, (_, n) => range.seed + n);
      const played = new Set(parts.flatMap(each));
      const left = rangesLeft(seed, seeds, parts, size);
      expect(left.flatMap(each)).toEqual(each({ seed, seeds }).filter((one) => !played.has(one)));
      expect(left.every((range) => range.seeds >= 1 && range.seeds <= size)).toBe(true);
    }),
  );
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
  const tally = { seed: 1, seeds: 20, jobs: 2_000, lifecycles: 1_900, seconds: 10, cpuSeconds: 5, before: 0, broken };
  expect(tallyText(tally, [finding], 100, plain).split("\n")).toEqual([
    "20 seeds from 1 on: 2000 jobs, 1900 microVMs made and gone in 10.0 s (200 jobs/s, 190 VM lifecycles/s)",
    "processor time: 5.0 s (400 jobs/s, 380 VM lifecycles/s)",
    "an invariant was broken by 1 of them: 17",
    "",
    "seed 17",
    "  I2: pool pool has 4 of 3 (seed 17, at 4000 ms)",
    "  takes 2 of its 21 faults and steps; the last that happened:",
    "    3900 a process is killed",
    "  replay: firerunner simulate --seed 17 --jobs 100 --only crash.1,push.3 --trace",
  ]);
});
