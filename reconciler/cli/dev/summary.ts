import { type Cell, table } from "../output/table.js";
import type { Terminal } from "../terminal.js";
import type { JobRow } from "./rows.js";
import type { Leftovers } from "./tidiness.js";

/** The table at the end of a pipeline: where each job ran, and what it waited for. */
export function summaryTable(rows: readonly JobRow[], style: Terminal["style"]): string {
  const head = ["JOB", "RESULT", "MICROVM", "HOST", "QUEUE→VM", "VM→RUNNING", "RAN", "TOTAL"];
  return table(head, rows.map(cells), style);
}

function cells(row: JobRow): readonly Cell[] {
  const duration = (ms: number | undefined) => (ms === undefined ? "–" : seconds(ms));
  return [
    row.name,
    result(row),
    row.vm ?? "–",
    row.host ?? "–",
    duration(row.queueToVmMs),
    duration(row.vmToRunningMs),
    duration(row.ranMs),
    duration(row.totalMs),
  ];
}

function result({ status, allowFailure }: JobRow): Cell {
  if (status === "success") return { text: status, colour: "green" };
  if (status === "failed") return allowFailure ? { text: "failed (allowed)", colour: "yellow" } : { text: status, colour: "red" };
  return { text: status, colour: "dim" };
}

/** What is left, in one line. */
export function tidinessLine(left: Leftovers): string {
  const warm = `${left.warm} warm microVM${left.warm === 1 ? "" : "s"} without a credential`;
  return `Left behind: ${left.vms} microVMs, ${left.runners} runners, ${left.addresses} addresses (beside ${warm}).`;
}

/** `0.35 s` below ten seconds, `12.3 s` above. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
