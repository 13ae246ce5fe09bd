/** `npm run bench`: every bench beside its floors, five runs each. `-- --smoke` runs each once and briefly. */

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { benches } from "./benches.js";
import type { Figure } from "./figure.js";
import { load, render, summarise } from "./report.js";

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    runs: { type: "string" },
    smoke: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const runCount = Number(values.runs ?? (values.smoke ? 1 : 5));
const chosen = values.only.length === 0 ? benches : benches.filter(({ name }) => values.only.includes(name));
const unknown = values.only.filter((name) => !benches.some((bench) => bench.name === name));

if (unknown.length > 0 || !Number.isInteger(runCount) || runCount < 1) {
  process.stderr.write(
    unknown.length > 0
      ? `--only ${unknown.join(", ")} is refused: the benches are ${benches.map(({ name }) => name).join(", ")}\n`
      : `--runs ${values.runs} is refused: must be a whole number above 0\n`,
  );
  process.exitCode = 2;
} else {
  await main();
}

async function main(): Promise<void> {
  const machine = `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}`;
  if (!values.json) process.stdout.write(`${machine}, load ${load()}\n\n`);
  const results: unknown[] = [];
  for (const bench of chosen) {
    const runs: (readonly Figure[])[] = [];
    for (let n = 0; n < runCount; n++) runs.push(await bench.run({ smoke: values.smoke }));
    results.push({ name: bench.name, runs: runCount, load: load(), figures: summarise({ bench, runs }) });
    if (!values.json) process.stdout.write(`${render({ bench, runs })}\n`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ machine, benches: results }, undefined, 2)}\n`);
}
