import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineCommand } from "citty";
import { FireRunnerError } from "../../model/errors.js";
import { type DayReport, playDay, usualFleet } from "../../simulator/day.js";
import { examine, type Finding, playSeed } from "../../simulator/hunt.js";
import { parseJobHistory } from "../../simulator/job-history.js";
import { structured } from "../output/render.js";
import { SimulationRecord } from "../simulate-record.js";
import { huntSeeds } from "../simulate-seeds.js";
import { dayText, playedText, tallyText } from "../simulate-text.js";
import type { Terminal } from "../terminal.js";
import { UsageError } from "../usage-error.js";

/** `firerunner simulate`: the service in a world that one seed decides. Ends with 1 when an invariant was broken. */
export const simulateCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner simulate",
      description: "Run the service in a simulated world that one seed decides, with everything failing that can; or a day of past jobs",
    },
    args: {
      seed: { type: "string", valueHint: "n", default: "1", description: "The first seed" },
      seeds: { type: "string", valueHint: "count", default: "1", description: "How many seeds, one after the other" },
      jobs: { type: "string", valueHint: "count", description: "CI jobs in each seed's world (default: 2 to 12, as the seed decides)" },
      workers: {
        type: "string",
        valueHint: "count",
        default: "0",
        description: "Processes to share the seeds among; 0 takes as many as there are cores",
      },
      only: {
        type: "string",
        valueHint: "parts",
        description: "Play one seed with these of its faults and steps alone, as a finding names them",
      },
      bail: { type: "boolean", default: false, description: "End with the first seed that breaks an invariant" },
      record: {
        type: "string",
        valueHint: "file",
        description: "Add what is played to this file, and do not play again what it has: a hunt that was ended goes on",
      },
      examine: { type: "boolean", default: true, description: "Make what is found small; --no-examine only names the seeds" },
      trace: { type: "boolean", default: false, description: "Print everything that happened in the world of one seed" },
      scenario: { type: "string", valueHint: "file", description: "Play the jobs of a job history (CSV) instead, with nothing failing" },
      hosts: { type: "string", valueHint: "count", default: "2", description: "With --scenario: how many hosts of 16 vCPUs there are" },
      output: { type: "enum", alias: "o", options: ["table", "json"], default: "table", description: "How to show it" },
    },
    async run({ args }) {
      const seed = wholeNumber("--seed", args.seed, 0, 0xffffffff);
      const seeds = wholeNumber("--seeds", args.seeds, 1, 100_000_000);
      const jobs = args.jobs === undefined ? undefined : wholeNumber("--jobs", args.jobs, 1, 100_000);
      const asked = wholeNumber("--workers", args.workers, 0, 256);
      const isJson = args.output === "json";
      if (args.scenario !== undefined) {
        const report = await simulateDay(args.scenario, wholeNumber("--hosts", args.hosts, 1, 200), seed);
        terminal.print(isJson ? structured(report, "json") : dayText(report, terminal));
        if (report.violations.length > 0) process.exitCode = 1;
        return;
      }
      if (args.only !== undefined || args.trace) {
        if (seeds > 1) throw new UsageError("--only and --trace go with one seed");
        const parts = args.only === undefined ? undefined : new Set(args.only.split(",").filter((part) => part !== ""));
        const { played, log } = await playSeed(seed, jobs, parts);
        if (args.trace && !isJson) terminal.print(log.join("\n"));
        terminal.print(isJson ? structured(args.trace ? { ...played, log } : played, "json") : playedText(played, terminal));
        if (played.violations.length > 0) process.exitCode = 1;
        return;
      }
      const workers = Math.min(asked === 0 ? availableParallelism() : asked, seeds);
      const record = args.record === undefined ? undefined : SimulationRecord.open(args.record, jobs);
      const progress = (line: string) => terminal.complain(line);
      const tally = await huntSeeds({ seed, seeds, jobs, workers, bail: args.bail, record, progress });
      const findings: Finding[] = [];
      // What is found is made small one after the other, and only so many: one fault of the service breaks many seeds.
      for (const { seed: broken } of args.examine ? tally.broken.slice(0, mostFindings) : []) findings.push(await examine(broken, jobs));
      terminal.print(isJson ? structured({ ...tally, findings }, "json") : tallyText(tally, findings, jobs, terminal));
      if (tally.broken.length > 0) process.exitCode = 1;
    },
  });

const mostFindings = 3;

function wholeNumber(option: string, text: string, from: number, to: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= from && value <= to) return value;
  throw new UsageError(`${option} "${text}" is refused: must be a whole number from ${from} to ${to}`);
}

async function simulateDay(file: string, hosts: number, seed: number): Promise<DayReport> {
  const jobs = parseJobHistory(readHistory(file), file);
  return playDay(jobs, usualFleet(jobs, hosts), seed);
}

function readHistory(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading ${file}`);
  }
}
