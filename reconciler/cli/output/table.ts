import type { Colour, Terminal } from "../terminal.js";

/** What stands in a table, and its colour when it has one. */
export type Cell = string | { readonly text: string; readonly colour: Colour };

/** Columns that line up, two spaces apart; the last one is not filled up. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], style: Terminal["style"]): string {
  const lines = [head.map((text): Cell => ({ text, colour: "bold" })), ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => textOf(line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const text = textOf(cell);
          const gap = column === line.length - 1 ? "" : " ".repeat((widths[column] ?? 0) - text.length + 2);
          return (typeof cell === "string" ? text : style(text, cell.colour)) + gap;
        })
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

const textOf = (cell: Cell): string => clean(typeof cell === "string" ? cell : cell.text);

/** Names and messages come from forges and hosts: a line break in one would break the table, an escape sequence the terminal. */
export const clean = (text: string): string => text.replace(/\s+/g, " ").replace(/\p{Cc}/gu, "");
