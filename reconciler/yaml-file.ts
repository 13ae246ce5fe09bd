import { readFileSync, statSync } from "node:fs";
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { type ErrorCode, FireRunnerError } from "./model/errors.js";
import { type Refusal, refusals } from "./model/validation.js";

const maxBytes = 4 * 1_048_576;
const maxShown = 20;

/** A YAML file's content, and where in it each field stands. */
export interface YamlFile {
  /** What the file is called in messages. */
  readonly name: string;
  readonly value: unknown;
  /** The line of a field such as `pools[0].image`; of what holds it when the field itself is missing. */
  lineOf(field: string): number;
}

/** Reads and parses a file; `FR-CONFIG` when it cannot be read, `code` with line and column when it is not YAML. */
export function readYamlFile(path: string, code: ErrorCode): YamlFile {
  return parseYaml(readText(path), path, code);
}

/** Parses YAML 1.2. An empty file is an empty map. */
export function parseYaml(text: string, name: string, code: ErrorCode): YamlFile {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, stringKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = counter.linePos(error.pos[0]);
    const message = error.code === "MULTIPLE_DOCS" ? "a second document begins here, and only one is read" : error.message;
    throw new FireRunnerError(code, `${name}:${line}:${col}: not valid YAML: ${message}`);
  }
  const lines = new Map<string, number>();
  if (document.contents !== null) index(document.contents, "", (field, offset) => lines.set(field, counter.linePos(offset).line));
  return { name, value: toValue(() => document.toJS() ?? {}, name, code), lineOf: (field) => lineOf(lines, field) };
}

/** Checks the file against a schema; throws `code` with one line per mistake: `FILE:LINE: FIELD: what is wrong`. */
export function checkYaml<S extends z.ZodType>(schema: S, file: YamlFile, code: ErrorCode): z.output<S> {
  const parsed = schema.safeParse(file.value);
  if (parsed.success) return parsed.data;
  throw refusedInFile(refusals(parsed.error, file.value), file, code);
}

/** The error for refusals of the file's fields, whoever refused them. */
export function refusedInFile(found: readonly Refusal[], file: YamlFile, code: ErrorCode): FireRunnerError {
  const lines = found.map(({ field, message }) => `${file.name}:${file.lineOf(field)}: ${field}: ${message}`);
  const shown =
    lines.length <= maxShown ? lines : [...lines.slice(0, maxShown), `${file.name}: and ${lines.length - maxShown} more mistakes`];
  return new FireRunnerError(code, shown.join("\n"), { details: { refusals: found } });
}

function readText(path: string): string {
  try {
    const stats = statSync(path);
    if (stats.isFile() && stats.size > maxBytes)
      throw new FireRunnerError("FR-CONFIG", `${path} is refused: longer than ${maxBytes} bytes`);
    return readFileSync(path, "utf8");
  } catch (caught) {
    if (caught instanceof Error && "code" in caught && caught.code === "ENOENT") {
      throw new FireRunnerError("FR-CONFIG", `there is no file ${path}`, { cause: caught });
    }
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading ${path}`);
  }
}

/** Too many aliases are refused here: a file of a few lines must not become one of gigabytes. */
function toValue(convert: () => unknown, name: string, code: ErrorCode): unknown {
  try {
    return convert();
  } catch (caught) {
    throw FireRunnerError.from(caught, code, `reading ${name} as YAML`);
  }
}

/** Walks everything that stands in the file; fields are written as refusals name them. */
function index(node: unknown, field: string, found: (field: string, offset: number) => void): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const inner = field === "" ? String(key.value) : `${field}.${String(key.value)}`;
      found(inner, offsetOf(key));
      index(value, inner, found);
    }
  } else if (isSeq(node)) {
    for (const [position, item] of node.items.entries()) {
      const inner = `${field}[${position}]`;
      found(inner, offsetOf(item));
      index(item, inner, found);
    }
  }
}

const offsetOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0;

function lineOf(lines: ReadonlyMap<string, number>, field: string): number {
  for (let end = field.length; end > 0; end = Math.max(field.lastIndexOf(".", end - 1), field.lastIndexOf("[", end - 1))) {
    const line = lines.get(field.slice(0, end));
    if (line !== undefined) return line;
  }
  return 1;
}
