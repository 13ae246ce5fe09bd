/**
 * Writes the reference of the Pulumi resources into docs/pulumi.md, between its two markers, from what stands at their
 * arguments and outputs in provider/resources. With `--check` it writes nothing and fails when the text is not current.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const document = path("docs/pulumi.md");
const begin = "<!-- reference: npm run reference -->";
const end = "<!-- /reference -->";

/** The resources in the order in which they are read, each with its file. */
const resources = [
  ["FlintlockHost", "flintlock-host"],
  ["MicrovmImage", "microvm-image"],
  ["GitLabConnection", "gitlab-connection"],
  ["RunnerPool", "runner-pool"],
  ["RunnerFleet", "runner-fleet"],
  ["Reconciler", "reconciler"],
] as const;

interface Field {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly text: string;
}

interface Described {
  readonly text: string;
  readonly fields: readonly Field[];
}

/** The reference as Markdown. */
export function reference(): string {
  const common = describe("declared-resource");
  const sections = resources.map(([name, file]) => section(name, describe(file), name !== "RunnerFleet" && name !== "Reconciler"));
  const shared = [
    "### Every resource",
    "",
    ...table("Input", common.get("DeclaredResourceArgs")?.fields ?? []),
    "",
    ...nested("TimeoutsArgs", common.get("TimeoutsArgs")),
    ...table("Output", common.get("DeclaredResource")?.fields ?? []),
  ];
  return [...sections, shared.join("\n")].join("\n\n");
}

/** The text of the document with a current reference. */
export function withReference(text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/pulumi.md has no ${begin} … ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${reference()}\n\n${text.slice(to)}`;
}

function section(name: string, described: ReadonlyMap<string, Described>, declared: boolean): string {
  const own = described.get(name);
  const args = described.get(`${name}Args`);
  const others = [...described].filter(([other]) => other.endsWith("Args") && other !== `${name}Args`);
  return [
    `### \`${name}\``,
    "",
    own?.text ?? "",
    "",
    ...table("Input", args?.fields ?? []),
    "",
    ...others.flatMap(([other, text]) => nested(other, text)),
    ...(own === undefined || own.fields.length === 0 ? [] : table("Output", own.fields)),
    ...(declared ? ["", "And what [every resource](#every-resource) has."] : []),
  ]
    .join("\n")
    .trimEnd();
}

function nested(name: string, described: Described | undefined): readonly string[] {
  if (described === undefined) return [];
  return [`\`${name}\`${described.text === "" ? "" : `: ${described.text}`}`, "", ...table("Field", described.fields), ""];
}

function table(head: string, fields: readonly Field[]): readonly string[] {
  const rows = fields.map(
    ({ name, type, required, text }) => `| \`${name}\`${required ? "" : "?"} | \`${type.replaceAll("|", "\\|")}\` | ${text} |`,
  );
  return [`| ${head} | Type | |`, "| --- | --- | --- |", ...rows];
}

/** What a file's interfaces and classes say of themselves and of their properties. */
function describe(file: string): ReadonlyMap<string, Described> {
  const name = path(`provider/resources/${file}.ts`);
  const source = ts.createSourceFile(name, readFileSync(name, "utf8"), ts.ScriptTarget.ES2022, true);
  const found = new Map<string, Described>();
  for (const node of source.statements) {
    if (ts.isInterfaceDeclaration(node)) {
      found.set(node.name.text, {
        text: comment(node),
        fields: node.members.filter(ts.isPropertySignature).map((member) => field(member, source)),
      });
    } else if (ts.isClassDeclaration(node) && node.name !== undefined) {
      const outputs = node.members.filter(ts.isPropertyDeclaration);
      found.set(node.name.text, { text: comment(node), fields: outputs.map((member) => ({ ...field(member, source), required: true })) });
    }
  }
  return found;
}

function field(member: ts.PropertySignature | ts.PropertyDeclaration, source: ts.SourceFile): Field {
  return {
    name: member.name.getText(source),
    type: member.type === undefined ? "" : plainType(member.type, source),
    required: member.questionToken === undefined,
    text: comment(member),
  };
}

/** A type without what stands at every input and output. */
function plainType(type: ts.TypeNode, source: ts.SourceFile): string {
  if (ts.isUnionTypeNode(type)) {
    const parts = type.types.filter((part) => part.kind !== ts.SyntaxKind.UndefinedKeyword);
    return parts.map((part) => plainType(part, source)).join(" | ");
  }
  if (ts.isArrayTypeNode(type)) return `${plainType(type.elementType, source)}[]`;
  if (ts.isTypeReferenceNode(type)) {
    const [first, ...rest] = type.typeArguments ?? [];
    const name = type.typeName.getText(source);
    if (first !== undefined && ["pulumi.Input", "pulumi.Output", "Named"].includes(name)) return plainType(first, source);
    if (first !== undefined) return `${name}<${[first, ...rest].map((part) => plainType(part, source)).join(", ")}>`;
  }
  return type.getText(source).replace(/\s+/g, " ");
}

function comment(node: ts.Node): string {
  const [last] = ts.getJSDocCommentsAndTags(node).slice(-1);
  const text = last !== undefined && ts.isJSDoc(last) ? (ts.getTextOfJSDocComment(last.comment) ?? "") : "";
  return text.replace(/\s+/g, " ").trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = readFileSync(document, "utf8");
  const current = withReference(text);
  if (process.argv.includes("--check") && text !== current) {
    process.stderr.write("docs/pulumi.md is not current; run `npm run reference` and commit it\n");
    process.exitCode = 1;
  } else if (text !== current) writeFileSync(document, current);
}
