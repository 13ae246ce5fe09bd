import type { CiVariable, JobNeed, JobRetry, JobWhen } from "./definition.js";
import { parseDuration } from "./duration.js";
import { type Place, quote } from "./findings.js";
import type { YamlMap, YamlNode, YamlScalar } from "./yaml-node.js";

// Each reader says what is wrong at its place and then gives undefined.

const maxTags = 50;
const maxNeeds = 50;
const maxCommands = 5_000;
const maxScriptLevels = 10;
const maxTimeoutS = 30 * 86_400;

const retryReasons = [
  "always",
  "unknown_failure",
  "script_failure",
  "api_failure",
  "stuck_or_timeout_failure",
  "runner_system_failure",
  "runner_unsupported",
  "runner_interrupted",
  "stale_schedule",
  "job_execution_timeout",
  "archived_failure",
  "unmet_prerequisites",
  "scheduler_failure",
  "data_integrity_failure",
];

export function readText(node: YamlNode, place: Place): string | undefined {
  if (node.kind === "scalar" && typeof node.value === "string" && node.value !== "") return node.value;
  place.refuse(node, "must be text");
  return undefined;
}

/** A list of texts, each once. */
export function readTexts(node: YamlNode, place: Place): readonly string[] | undefined {
  if (node.kind !== "list") {
    place.refuse(node, "must be a list of texts, for example [first, second]");
    return undefined;
  }
  const texts = node.items.map((item) => readText(item, place));
  return texts.every((text) => text !== undefined) ? [...new Set(texts)] : undefined;
}

export function readTags(node: YamlNode, place: Place): readonly string[] | undefined {
  const tags = readTexts(node, place);
  if (tags === undefined) return undefined;
  if (tags.length > maxTags) place.say(`${tags.length} tags are refused: at most ${maxTags} are accepted`);
  for (const tag of tags.filter(({ length }) => length > 255)) place.say(`${quote(tag)} is refused: a tag has at most 255 characters`);
  return tags;
}

/** One command, or a list of commands that may hold further lists. */
export function readScript(node: YamlNode, place: Place): readonly string[] | undefined {
  const commands: string[] = [];
  let seen = 0;
  const collect = (inner: YamlNode, level: number): boolean => {
    seen += 1;
    if (seen > maxCommands) {
      place.say(`the script is too long: at most ${maxCommands} commands are accepted`);
      return false;
    }
    if (inner.kind === "list" && level <= maxScriptLevels) return inner.items.every((item) => collect(item, level + 1));
    if (inner.kind === "scalar" && typeof inner.value === "string") {
      commands.push(inner.value);
      return true;
    }
    const hint = inner.kind === "map" ? '; a command with ": " in it must be put in quotes' : "";
    place.refuse(inner, `must be a command or a list of commands, nested at most ${maxScriptLevels} levels deep${hint}`);
    return false;
  };
  return collect(node, 0) ? commands : undefined;
}

export function readVariables(node: YamlNode, place: Place): readonly CiVariable[] | undefined {
  if (node.kind !== "map") {
    place.refuse(node, "must be a mapping of names to values");
    return undefined;
  }
  return [...node.entries].flatMap(([key, entry]) => {
    const variable = place.inner(key, entry.line);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) variable.say("a variable's name has letters, digits and _, and does not begin with a digit");
    const value = readVariableValue(entry.node, variable);
    return value === undefined ? [] : [{ key, value }];
  });
}

function readVariableValue(node: YamlNode, place: Place): string | undefined {
  if (node.kind === "map") {
    const { value, description, options, expand, ...unknown } = Object.fromEntries(node.entries);
    for (const [key, entry] of Object.entries(unknown)) place.inner(key, entry.line).say("is not a keyword of a variable");
    if (expand !== undefined && !(expand.node.kind === "scalar" && expand.node.value === true)) {
      place.inner("expand", expand.line).refuse(expand.node, "variables are always expanded by the embedded GitLab");
    }
    for (const ignored of [description, options]) if (ignored?.node.kind === "map") place.refuse(ignored.node, "must be text");
    return value === undefined ? "" : readVariableText(value.node, place);
  }
  return readVariableText(node, place);
}

function readVariableText(node: YamlNode, place: Place): string | undefined {
  if (node.kind === "scalar" && typeof node.value === "string") return node.value;
  if (node.kind === "scalar" && typeof node.value === "number") return numberText(node, node.value);
  place.refuse(node, 'must be text or a number (put it in quotes, "" for an empty one), or a mapping of value and description');
  return undefined;
}

/** A number as Ruby would write it: long whole numbers keep their digits, and a float its point. */
function numberText({ source }: YamlScalar, value: number): string {
  if (/^-?(0|[1-9]\d*)$/.test(source)) return source;
  return source.includes(".") && Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** The jobs that a job needs, each with its line. */
export function readNeeds(node: YamlNode, place: Place): readonly (JobNeed & { readonly line: number })[] | undefined {
  if (node.kind !== "list") {
    place.refuse(node, "must be a list of job names, or of mappings of job and optional");
    return undefined;
  }
  if (node.items.length > maxNeeds) place.say(`${node.items.length} needs are refused: at most ${maxNeeds} are accepted`);
  const needs = node.items.flatMap((item) => {
    const need = item.kind === "map" ? readNeed(item, place) : { job: readText(item, place), optional: false };
    return need?.job === undefined ? [] : [{ job: need.job, optional: need.optional, line: item.line }];
  });
  for (const [index, { job, line }] of needs.entries()) {
    if (needs.findIndex((other) => other.job === job) < index) place.say(`${quote(job)} is refused: it is needed twice`, line);
  }
  return needs;
}

function readNeed(node: YamlMap, place: Place): { job: string | undefined; optional: boolean } | undefined {
  const { job, optional, artifacts, ...unknown } = Object.fromEntries(node.entries);
  for (const [key, entry] of Object.entries(unknown)) {
    place
      .inner(key, entry.line)
      .say("is not supported by the embedded GitLab: a need names a job of the same pipeline, by job and optional");
  }
  if (artifacts !== undefined) readBoolean(artifacts.node, place.inner("artifacts", artifacts.line));
  if (job === undefined) {
    place.say("a need must name its job", node.line);
    return undefined;
  }
  const isOptional = optional === undefined ? false : readBoolean(optional.node, place.inner("optional", optional.line));
  return { job: readText(job.node, place.inner("job", job.line)), optional: isOptional ?? false };
}

function readBoolean(node: YamlNode, place: Place): boolean | undefined {
  if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
  place.refuse(node, "must be true or false");
  return undefined;
}

export function readWhen(node: YamlNode, place: Place): JobWhen | undefined {
  const value = node.kind === "scalar" ? node.value : undefined;
  if (value === "on_success" || value === "on_failure" || value === "always" || value === "manual" || value === "delayed") return value;
  place.refuse(node, "must be on_success, on_failure, always, manual or delayed");
  return undefined;
}

export function readRetry(node: YamlNode, place: Place): JobRetry | undefined {
  if (node.kind !== "map") {
    const max = readRetryMax(node, place);
    return max === undefined ? undefined : { max, when: ["always"] };
  }
  const { max, when, ...unknown } = Object.fromEntries(node.entries);
  for (const [key, entry] of Object.entries(unknown)) {
    place.inner(key, entry.line).say("is not supported by the embedded GitLab: retry knows max and when");
  }
  const reasons = when === undefined ? ["always"] : readRetryReasons(when.node, place.inner("when", when.line));
  const limit = max === undefined ? 0 : readRetryMax(max.node, place.inner("max", max.line));
  return reasons === undefined || limit === undefined ? undefined : { max: limit, when: reasons };
}

function readRetryMax(node: YamlNode, place: Place): 0 | 1 | 2 | undefined {
  const value = node.kind === "scalar" ? node.value : undefined;
  if (value === 0 || value === 1 || value === 2) return value;
  place.refuse(node, "must be 0, 1 or 2, or a mapping of max and when");
  return undefined;
}

function readRetryReasons(node: YamlNode, place: Place): readonly string[] | undefined {
  const reasons = readTexts(node.kind === "list" ? node : { kind: "list", line: node.line, items: [node] }, place);
  for (const reason of reasons?.filter((text) => !retryReasons.includes(text)) ?? []) {
    place.say(`${quote(reason)} is refused: must be one or several of ${retryReasons.join(", ")}`);
  }
  return reasons;
}

export function readAllowFailure(node: YamlNode, place: Place): boolean | { exitCodes: readonly number[] } | undefined {
  if (node.kind !== "map") {
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    place.refuse(node, "must be true, false or a mapping of exit_codes");
    return undefined;
  }
  const { exit_codes: codes, ...unknown } = Object.fromEntries(node.entries);
  for (const [key, entry] of Object.entries(unknown)) place.inner(key, entry.line).say("is not a keyword of allow_failure");
  const items = codes?.node.kind === "list" ? codes.node.items : codes === undefined ? [] : [codes.node];
  const exitCodes = items.flatMap((item) => (item.kind === "scalar" && typeof item.value === "number" ? [item.value] : []));
  const accepted =
    exitCodes.length === items.length && items.length > 0 && exitCodes.every((code) => Number.isInteger(code) && code >= 0 && code <= 255);
  if (accepted) return { exitCodes };
  place.refuse(codes?.node ?? node, "exit_codes must be a whole number from 0 to 255 or a list of them");
  return undefined;
}

export function readTimeout(node: YamlNode, place: Place): number | undefined {
  const seconds = node.kind === "scalar" && typeof node.value === "string" ? parseDuration(node.value) : undefined;
  if (seconds !== undefined && seconds > 0 && seconds <= maxTimeoutS) return seconds;
  place.refuse(node, 'must be a duration as text, for example "1h 30m" or "90 minutes", of at most 30 days');
  return undefined;
}
