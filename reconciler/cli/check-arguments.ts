import { parseArgs } from "node:util";
import type { ArgsDef } from "citty";
import { UsageError } from "./usage-error.js";

/**
 * Refuses what citty would overlook: options that the command does not have, options without their value, words too
 * many. Throws a `UsageError`.
 */
export function checkArguments(definitions: ArgsDef, args: readonly string[]): void {
  const options = Object.entries(definitions).flatMap(([name, definition]) => {
    if (definition.type === "positional") return [];
    const type = definition.type === "boolean" ? ("boolean" as const) : ("string" as const);
    const aliases = "alias" in definition ? [definition.alias ?? []].flat() : [];
    const short = aliases.find((alias) => alias.length === 1);
    return [[name, { type, ...(short === undefined ? {} : { short }) }] as const];
  });
  const positionals = Object.values(definitions).filter(({ type }) => type === "positional").length;
  const words = parse(Object.fromEntries(options), args);
  if (words.length > positionals) throw new UsageError(`unexpected "${words[positionals]}"`);
}

function parse(options: Record<string, { type: "boolean" | "string"; short?: string }>, args: readonly string[]): readonly string[] {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true, allowNegative: true }).positionals;
  } catch (caught) {
    if (!(caught instanceof Error && "code" in caught && String(caught.code).startsWith("ERR_PARSE_ARGS"))) throw caught;
    throw new UsageError(caught.message.split(/\. (?:To specify|If )/)[0] ?? caught.message);
  }
}
