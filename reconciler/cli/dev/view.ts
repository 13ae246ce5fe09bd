import { stripVTControlCharacters } from "node:util";
import { clean } from "../output/table.js";
import type { Terminal } from "../terminal.js";
import type { JobRow } from "./rows.js";
import { seconds } from "./summary.js";

/** Shows the jobs of a pipeline as they change. */
export interface PipelineView {
  show(rows: readonly JobRow[]): void;
  /** A line of its own, above what is shown. */
  say(text: string): void;
}

/** On a terminal one line per job, drawn over again; elsewhere a line for each change. */
export const createView = (terminal: Terminal): PipelineView => (terminal.columns === undefined ? plainView(terminal) : liveView(terminal));

function liveView(terminal: Terminal): PipelineView {
  let drawn: readonly string[] = [];
  const clear = () => (drawn.length === 0 ? "" : `\u001b[${drawn.length}A\u001b[0J`);
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
  return {
    show(rows) {
      const width = Math.max(4, ...rows.map((row) => row.name.length));
      const lines = rows.map((row) => cut(jobLine(row, width, terminal.style), terminal.columns));
      if (lines.join("\n") === drawn.join("\n")) return;
      terminal.write(clear() + text(lines));
      drawn = lines;
    },
    say: (line) => terminal.write(`${clear()}${line}\n${text(drawn)}`),
  };
}

function plainView(terminal: Terminal): PipelineView {
  const shown = new Map<number, string>();
  return {
    show(rows) {
      for (const row of rows) {
        const state = `${row.status} ${row.reason?.code ?? ""} ${row.vm ?? ""}`;
        if (shown.get(row.jobId) === state || row.status === "created") continue;
        shown.set(row.jobId, state);
        terminal.print(jobLine(row, 16, terminal.style));
      }
    },
    say: (line) => terminal.print(line),
  };
}

function jobLine(row: JobRow, width: number, style: Terminal["style"]): string {
  return `${mark(row, style)} ${clean(row.name).padEnd(width)} ${style(row.status.padEnd(8), "dim")} ${clean(detail(row))}`.trimEnd();
}

function mark({ status, allowFailure }: JobRow, style: Terminal["style"]): string {
  if (status === "success") return style("✓", "green");
  if (status === "failed") return allowFailure ? style("!", "yellow") : style("✗", "red");
  if (status === "running") return style("▶", "cyan");
  return style(status === "canceled" ? "⊘" : "·", "dim");
}

function detail(row: JobRow): string {
  if (row.reason !== undefined) return `${row.reason.code}: ${row.reason.message}`;
  if (row.vm === undefined) return "";
  const ran = row.ranMs === undefined ? "" : ` ${seconds(row.ranMs)}`;
  return `${row.vm} on ${row.host ?? "?"}${ran}${row.status === "failed" && row.allowFailure ? " (allowed to fail)" : ""}`;
}

/** Cuts a line to the terminal's width; colours take no room. */
function cut(line: string, columns: number | undefined): string {
  if (columns === undefined || stripVTControlCharacters(line).length <= columns) return line;
  return `${stripVTControlCharacters(line).slice(0, Math.max(columns - 1, 0))}…`;
}
