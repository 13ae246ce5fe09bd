import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { FireRunnerError } from "../../../model/errors.js";
import { type Findings, quote } from "./findings.js";
import type { YamlEntry, YamlMap, YamlNode, YamlScalar } from "./yaml-node.js";

const maxDepth = 100;

/** Reads one YAML 1.1 document, as GitLab does (`yes` is true, `<<` merges); throws `FR-INVALID` when it is none. */
export function readYamlTree(text: string, findings: Findings): YamlNode {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.1",
    merge: true,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: "error",
  });
  const lineOf = (offset: number) => Math.max(1, lines.linePos(offset).line);
  for (const problem of document.errors) findings.add(lineOf(problem.pos[0]), explain(problem.code, problem.message));
  for (const problem of document.warnings.filter(({ code }) => code === "TAG_RESOLVE_FAILED")) {
    findings.add(lineOf(problem.pos[0]), `the YAML tag is not supported by the embedded GitLab: ${oneLine(problem.message)}`);
  }
  findings.throwIfAny();
  const root = document.contents;
  if (root === null) return { kind: "scalar", line: 1, value: null, source: "" };
  return new TreeBuilder(lineOf, (alias) => (isAlias(alias) ? alias.resolve(document) : undefined)).build(root, 0);
}

function explain(code: string, message: string): string {
  if (code === "MULTIPLE_DOCS") return "a second YAML document is not supported by the embedded GitLab (no spec: header, no inputs)";
  return `not valid YAML: ${oneLine(message)}`;
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim();

class TreeBuilder {
  private readonly built = new Map<Node, YamlNode>();
  private readonly underWay = new Set<Node>();

  constructor(
    private readonly lineOf: (offset: number) => number,
    private readonly resolve: (alias: Node) => Node | undefined,
  ) {}

  build(node: Node, depth: number): YamlNode {
    const line = this.lineOf(node.range?.[0] ?? 0);
    if (isAlias(node)) {
      const target = this.resolve(node);
      if (target === undefined) throw invalid(line, `*${node.source} names no anchor above it`);
      return this.build(target, depth);
    }
    const before = this.built.get(node);
    if (before !== undefined) return before;
    if (this.underWay.has(node)) throw invalid(line, "the anchor contains itself");
    if (depth > maxDepth) throw invalid(line, `nested deeper than ${maxDepth} levels`);
    this.underWay.add(node);
    const built = this.convert(node, line, depth);
    this.underWay.delete(node);
    this.built.set(node, built);
    return built;
  }

  private convert(node: Node, line: number, depth: number): YamlNode {
    if (isMap(node)) return this.map(node, line, depth);
    if (isSeq(node)) return { kind: "list", line, items: node.items.map((item) => this.child(item, line, depth)) };
    if (isScalar(node)) return scalar(node, line);
    throw invalid(line, "a value of this kind is not accepted");
  }

  private map(node: YAMLMap, line: number, depth: number): YamlMap {
    const own = new Map<string, YamlEntry>();
    const merged = new Map<string, YamlEntry>();
    for (const pair of node.items) {
      const keyLine = isNode(pair.key) ? this.lineOf(pair.key.range?.[0] ?? 0) : line;
      const value = this.child(pair.value, keyLine, depth);
      if (isMergeKey(pair)) this.merge(value, keyLine, merged);
      else own.set(this.key(pair.key, keyLine), { line: keyLine, node: value });
    }
    // What is written out wins over what is merged in, but keeps the place that the merge gave it.
    return { kind: "map", line, entries: new Map([...merged, ...own]) };
  }

  private merge(value: YamlNode, line: number, into: Map<string, YamlEntry>): void {
    const sources = value.kind === "list" ? value.items : [value];
    for (const source of sources) {
      if (source.kind !== "map") throw invalid(line, "<< accepts a mapping, or a list of mappings");
      for (const [key, entry] of source.entries) if (!into.has(key)) into.set(key, entry);
    }
  }

  private key(key: unknown, line: number): string {
    const node = isAlias(key) ? this.resolve(key) : key;
    if (!isScalar(node)) throw invalid(line, "a key must be text");
    const { value, source } = scalar(node, line);
    return typeof value === "string" ? value : source;
  }

  private child(node: unknown, line: number, depth: number): YamlNode {
    return isNode(node) ? this.build(node, depth + 1) : { kind: "scalar", line, value: null, source: "" };
  }
}

function isNode(value: unknown): value is Node {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value);
}

function isMergeKey({ key }: Pair): boolean {
  return isScalar(key) && key.type === "PLAIN" && (key.source ?? String(key.value)) === "<<";
}

function scalar(node: Scalar, line: number): YamlScalar {
  const source = node.source ?? "";
  const { value } = node;
  // Ruby's YAML leaves y and n as text, and so does GitLab.
  if (typeof value === "boolean" && /^[yn]$/i.test(source)) return { kind: "scalar", line, value: source, source };
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) {
    return { kind: "scalar", line, value, source };
  }
  return { kind: "scalar", line, value: source, source };
}

function invalid(line: number, message: string): FireRunnerError {
  return new FireRunnerError("FR-INVALID", `line ${line}: ${quote(message).slice(1, -1)}`);
}
