import { stripVTControlCharacters } from "node:util";
import { type CommandDef, renderUsage, runCommand } from "citty";
import { FireRunnerError } from "../model/errors.js";
import { checkArguments } from "./check-arguments.js";
import { rootCommand, rootEpilogue, rootUsage } from "./root-command.js";
import type { Terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { readVersion } from "./version.js";

/** What `firerunner` ends with. */
const exitCodes = { success: 0, failure: 1, usage: 2 } as const;

/** Runs one command line; resolves with its exit code and never rejects. Errors are lines with a code, never stacks. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
      terminal.print(readVersion());
      return exitCodes.success;
    }
    const root = rootCommand(terminal);
    const { command, rest } = await find(root, args);
    const described = command === root ? rootUsage : command;
    const options = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    if (options.includes("--help") || options.includes("-h")) {
      terminal.print(await usage(described, terminal));
      return exitCodes.success;
    }
    if (command.run === undefined) {
      const [unknown] = rest;
      if (unknown !== undefined)
        throw new UsageError(unknown.startsWith("-") ? `unknown option ${unknown}` : `unknown command "${unknown}"`);
      terminal.complain(await usage(described, terminal));
      return exitCodes.usage;
    }
    checkArguments(await resolved(command.args ?? {}), rest);
    // The command was found already: citty would run it and, after it, the one above it.
    const { subCommands: _, ...leaf } = command;
    await runCommand(leaf, { rawArgs: [...rest] });
    return exitCodes.success;
  } catch (caught) {
    return explain(caught, terminal);
  }
}

/** The command that the first words name, and what follows them. */
async function find(command: CommandDef, args: readonly string[]): Promise<{ command: CommandDef; rest: readonly string[] }> {
  const [name, ...rest] = args;
  const subCommands = await resolved(command.subCommands ?? {});
  if (name === undefined || !Object.hasOwn(subCommands, name)) return { command, rest: args };
  const next = subCommands[name];
  return next === undefined ? { command, rest: args } : find(await resolved<CommandDef>(next), rest);
}

const resolved = async <T>(value: T | Promise<T> | (() => T) | (() => Promise<T>)): Promise<T> =>
  typeof value === "function" ? (value as () => T | Promise<T>)() : value;

async function usage(command: CommandDef, terminal: Terminal): Promise<string> {
  const text = (await renderUsage(command)).replace(/ +$/gm, "") + (command === rootUsage ? `\n${rootEpilogue}` : "");
  return terminal.coloured ? text : stripVTControlCharacters(text);
}

function explain(caught: unknown, terminal: Terminal): number {
  const prefix = (code: string) => `${terminal.style("error", "red")}${code === "" ? "" : ` ${code}`}: `;
  if (caught instanceof UsageError || (caught instanceof Error && caught.name === "CLIError")) {
    terminal.complain(`${prefix("")}${stripVTControlCharacters(caught.message)} (see firerunner --help)`);
    return exitCodes.usage;
  }
  const error = FireRunnerError.from(caught, "FR-INTERNAL", "the command");
  for (const line of error.message.split("\n")) terminal.complain(`${prefix(error.code)}${line}`);
  if (terminal.env.LOG_LEVEL === "debug") terminal.complain(String((caught instanceof Error && caught.stack) || caught));
  return exitCodes.failure;
}
