import { FireRunnerError } from "../../../model/errors.js";
import type { YamlNode } from "./yaml-node.js";

const shownFindings = 50;
const shownCharacters = 80;

/** Collects what is wrong with a file, so that its author reads all of it at once. */
export class Findings {
  private readonly found: { readonly line: number; readonly text: string }[] = [];

  add(line: number, text: string): void {
    this.found.push({ line, text });
  }

  /** Throws `FR-INVALID` with one line for each finding, in the order of the file; does nothing when there is none. */
  throwIfAny(): void {
    if (this.found.length === 0) return;
    const lines = this.found.toSorted((a, b) => a.line - b.line).map(({ line, text }) => `line ${line}: ${text}`);
    const rest = lines.length > shownFindings ? [`and ${lines.length - shownFindings} more`] : [];
    throw new FireRunnerError("FR-INVALID", [...lines.slice(0, shownFindings), ...rest].join("\n"));
  }
}

/** A keyword of a file: where it stands and what to call it. */
export class Place {
  constructor(
    private readonly findings: Findings,
    readonly line: number,
    readonly name: string,
  ) {}

  /** The keyword `key` within this one. */
  inner(key: string, line: number): Place {
    return new Place(this.findings, line, this.name === "" ? key : `${this.name}: ${key}`);
  }

  /** Says what is wrong here. */
  say(message: string, line = this.line): void {
    this.findings.add(line, this.name === "" ? message : `${this.name}: ${message}`);
  }

  /** Says that `node` is not accepted and what would be. */
  refuse(node: YamlNode, accepted: string): void {
    this.say(`${show(node)} is refused: ${accepted}`, node.kind === "scalar" ? node.line : this.line);
  }
}

/** A text as it may stand in a message: quoted, on one line and not longer than a message bears. */
export function quote(text: string): string {
  return JSON.stringify(text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text);
}

function show(node: YamlNode): string {
  if (node.kind === "map") return "a mapping";
  if (node.kind === "list") return node.items.length === 0 ? "an empty list" : "a list";
  return node.value === null ? "an empty value" : typeof node.value === "string" ? quote(node.value) : String(node.value);
}
