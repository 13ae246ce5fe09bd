import { FireRunnerError } from "../../../model/errors.js";
import type { PipelineDefinition } from "./definition.js";
import { Findings, Place } from "./findings.js";
import { type JobKeywords, readJobKeywords } from "./job-keywords.js";
import { defaultKeywords, ignoredKeywords, refuseKeyword, topKeywords } from "./keywords.js";
import { checkOrder } from "./order.js";
import { readJobs } from "./read-jobs.js";
import { readTexts, readVariables } from "./values.js";
import type { YamlMap } from "./yaml-node.js";
import { readYamlTree } from "./yaml-tree.js";

const maxCharacters = 1_048_576;
const maxJobs = 500;
const defaultStages = ["build", "test", "deploy"];
const alsoAtTop = ["before_script", "after_script", "image", "services"];

/**
 * Reads the text of a `.gitlab-ci.yml`. Throws `FR-INVALID` with one line for each problem: its line in the file, the
 * job, the keyword, the value and what is accepted.
 */
export function parseCiFile(text: string): PipelineDefinition {
  try {
    return read(text);
  } catch (caught) {
    // The YAML library may run out of stack on a file that is nested without end.
    throw FireRunnerError.from(caught, "FR-INVALID", "reading the pipeline file");
  }
}

function read(text: string): PipelineDefinition {
  const findings = new Findings();
  if (text.length > maxCharacters) throw new FireRunnerError("FR-INVALID", `line 1: the file is longer than ${maxCharacters} characters`);
  const root = readYamlTree(text, findings);
  const file = new Place(findings, 1, "");
  if (root.kind !== "map" || root.entries.size === 0) {
    throw new FireRunnerError("FR-INVALID", "line 1: the file must be a mapping of jobs, for example: {test: {script: [make test]}}");
  }
  const stages = readStages(root, file);
  const defaults = readDefaults(root, file);
  const global = root.entries.get("variables");
  const variables = global === undefined ? [] : (readVariables(global.node, file.inner("variables", global.line)) ?? []);
  refuseTopKeywords(root, file);
  const placed = readJobs(root, { findings, defaults, variables });
  if (placed.length === 0) file.say("the file has no job (names that begin with a dot are only there to be extended)");
  if (placed.length > maxJobs) file.say(`${placed.length} jobs are refused: at most ${maxJobs} are accepted`);
  else checkOrder(stages, placed, findings);
  findings.throwIfAny();
  return { stages, jobs: placed.map(({ job }) => job) };
}

function readStages(root: YamlMap, file: Place): readonly string[] {
  const given = root.entries.get("stages");
  const named = given === undefined ? defaultStages : readTexts(given.node, file.inner("stages", given.line));
  return [".pre", ...(named ?? []).filter((stage) => stage !== ".pre" && stage !== ".post"), ".post"];
}

/** `default:` and the few of its keywords that may also stand at the top. */
function readDefaults(root: YamlMap, file: Place): JobKeywords {
  const atTop = new Map([...root.entries].filter(([keyword]) => alsoAtTop.includes(keyword)));
  const given = root.entries.get("default");
  const top = readJobKeywords({ kind: "map", line: root.line, entries: atTop }, file);
  if (given === undefined || (given.node.kind === "scalar" && given.node.value === null)) return top;
  const place = file.inner("default", given.line);
  if (given.node.kind !== "map") {
    place.refuse(given.node, "must be a mapping of keywords");
    return top;
  }
  for (const [keyword, { line }] of given.node.entries) {
    if (!defaultKeywords.has(keyword)) place.inner(keyword, line).say("is not a keyword of default");
    else if (atTop.has(keyword)) place.inner(keyword, line).say("stands at the top of the file too; keep one of them");
  }
  const known = new Map([...given.node.entries].filter(([keyword]) => defaultKeywords.has(keyword)));
  return { ...top, ...readJobKeywords({ kind: "map", line: given.line, entries: known }, place) };
}

function refuseTopKeywords(root: YamlMap, file: Place): void {
  const read = new Set(["stages", "default", "variables", ...alsoAtTop]);
  for (const [keyword, { line }] of root.entries) {
    if (topKeywords.has(keyword) && !read.has(keyword) && !ignoredKeywords.has(keyword)) {
      file.inner(keyword, line).say(refuseKeyword(keyword, "a pipeline file"));
    }
  }
}
