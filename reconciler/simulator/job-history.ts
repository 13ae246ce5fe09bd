import { FireRunnerError } from "../model/errors.js";

/** One job of a history: when it came, in ms since the epoch, how long it ran, and what it asked for. */
export interface PastJob {
  readonly createdAt: number;
  readonly durationMs: number;
  readonly tags: readonly string[];
  readonly projectId: number;
  readonly name: string;
}

const required = ["created_at", "duration_s", "tags", "project_id"] as const;
const known: readonly string[] = [...required, "name"];
const mostJobs = 200_000;
const mostShown = 20;

/**
 * Reads a job history as CSV: a line of column names (`created_at`, `duration_s`, `tags`, `project_id`, and optionally `name`; others
 * are not looked at), and one line for each job. Tags are separated by spaces or semicolons. Throws `FR-INVALID` with a line
 * for each mistake: `FILE:LINE: FIELD: what is wrong`.
 */
export function parseJobHistory(text: string, file: string): readonly PastJob[] {
  const rows = rowsOf(text, file);
  const [header] = rows;
  if (header === undefined) throw new FireRunnerError("FR-INVALID", `${file}:1: is empty: must begin with a line of column names`);
  const missing = required.filter((column) => !header.cells.includes(column));
  if (missing.length > 0) {
    const there = header.cells.join(", ");
    throw new FireRunnerError("FR-INVALID", `${file}:${header.line}: ${missing.join(", ")}: no such column; there are: ${there}`);
  }
  const doubled = known.find((column) => header.cells.indexOf(column) !== header.cells.lastIndexOf(column));
  if (doubled !== undefined) throw new FireRunnerError("FR-INVALID", `${file}:${header.line}: ${doubled}: is there twice`);
  if (rows.length === 1)
    throw new FireRunnerError("FR-INVALID", `${file}:${header.line}: no jobs: must be followed by a line for each job`);
  if (rows.length - 1 > mostJobs) throw new FireRunnerError("FR-INVALID", `${file}: ${rows.length - 1} jobs: must be at most ${mostJobs}`);
  const mistakes: string[] = [];
  const jobs = rows
    .slice(1)
    .map((row) => jobOf(row, header.cells, (field, what) => mistakes.push(`${file}:${row.line}: ${field}: ${what}`)));
  if (mistakes.length > 0) {
    const more = mistakes.length > mostShown ? [`${file}: and ${mistakes.length - mostShown} more mistakes`] : [];
    throw new FireRunnerError("FR-INVALID", [...mistakes.slice(0, mostShown), ...more].join("\n"));
  }
  return jobs.toSorted((a, b) => a.createdAt - b.createdAt);
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

function jobOf({ line, cells }: Row, header: readonly string[], refuse: (field: string, what: string) => void): PastJob {
  if (cells.length !== header.length) refuse("line", `has ${cells.length} fields: must have ${header.length}`);
  const cell = (column: string) => cells[header.indexOf(column)]?.trim() ?? "";
  const number = (column: string, from: number, accepted: string) => {
    const text = cell(column);
    const value = Number(text);
    if (text === "" || !Number.isFinite(value) || value < from) refuse(column, `"${text}" is refused: must be ${accepted}`);
    return value;
  };
  const createdAt = timeOf(cell("created_at"));
  if (Number.isNaN(createdAt)) refuse("created_at", `"${cell("created_at")}" is refused: must be a time such as 2026-03-02T09:15:00Z`);
  const projectId = number("project_id", 1, "a whole number above 0");
  if (!Number.isInteger(projectId)) refuse("project_id", `"${cell("project_id")}" is refused: must be a whole number above 0`);
  const durationMs = Math.round(number("duration_s", 0, "seconds, 0 or more") * 1000);
  const tags = cell("tags")
    .split(/[ ;]+/)
    .filter((tag) => tag !== "");
  return { createdAt, durationMs, tags, projectId, name: cell("name") || `job of line ${line}` };
}

/** Times without a zone are taken for UTC: the same history is the same day everywhere. */
function timeOf(text: string): number {
  if (!/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?UTC|Z|[+-]\d{2}:?\d{2})?$/.test(text)) return Number.NaN;
  const iso = text.replace(" UTC", "Z").replace(" ", "T");
  return Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(iso) ? iso : `${iso}Z`);
}

/** The rows of a CSV text (RFC 4180): fields may stand in quotes, with doubled quotes and line ends inside. Empty lines are left out. */
function rowsOf(text: string, file: string): readonly Row[] {
  const rows: Row[] = [];
  let cells: string[] = [];
  let cell = "";
  let quotedSince: number | undefined;
  let line = 1;
  let begun = 1;
  const endRow = () => {
    if (cells.length > 0 || cell !== "") rows.push({ line: begun, cells: [...cells, cell] });
    [cells, cell] = [[], ""];
  };
  const body = text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  for (let at = 0; at < body.length; at++) {
    const char = body[at] ?? "";
    if (char === "\n") line += 1;
    if (quotedSince !== undefined) {
      if (char !== '"') cell += char;
      else if (body[at + 1] === '"') cell += body[++at];
      else quotedSince = undefined;
    } else if (char === '"' && cell === "") quotedSince = line;
    else if (char === ",") {
      cells.push(cell);
      cell = "";
    } else if (char === "\n") {
      endRow();
      begun = line;
    } else cell += char;
  }
  if (quotedSince !== undefined) throw new FireRunnerError("FR-INVALID", `${file}:${quotedSince}: a quote is opened here and never closed`);
  endRow();
  return rows;
}
