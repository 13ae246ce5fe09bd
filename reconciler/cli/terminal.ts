import { readFileSync } from "node:fs";
import { styleText } from "node:util";

export type Colour = "green" | "red" | "yellow" | "cyan" | "dim" | "bold";

/** What a command writes to and reads from: the process's own streams, or a test's. */
export interface Terminal {
  /** A line, or several, for standard output. */
  print(text: string): void;
  /** The same without a line end of its own: a job's log is passed on as it is. */
  write(text: string): void;
  /** A line for standard error. */
  complain(text: string): void;
  /** Coloured where somebody sees it, otherwise as it is. */
  style(text: string, colour: Colour): string;
  readonly coloured: boolean;
  /** How wide a terminal is; undefined where lines are not cut and nothing is drawn over. */
  readonly columns: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All of standard input. */
  readInput(): string;
}

/** Whether to colour: on a terminal, unless `NO_COLOR` is set to anything (no-color.org). */
export const wantsColour = (isTerminal: boolean, env: Terminal["env"]): boolean => isTerminal && !env.NO_COLOR && env.TERM !== "dumb";

export const colour = (text: string, as: Colour): string => styleText(as, text, { validateStream: false });

export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const coloured = wantsColour(stdout.isTTY === true, env);
  return {
    print: (text) => void stdout.write(`${text}\n`),
    write: (text) => void stdout.write(text),
    complain: (text) => void stderr.write(`${text}\n`),
    style: (text, as) => (coloured ? colour(text, as) : text),
    coloured,
    get columns() {
      return stdout.isTTY === true ? stdout.columns : undefined;
    },
    env,
    readInput: () => readFileSync(0, "utf8"),
  };
}
