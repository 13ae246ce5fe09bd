import type { CiVariable, JobNeed, JobRetry, JobWhen } from "./definition.js";
import type { Place } from "./findings.js";
import { ignoredKeywords, refuseKeyword } from "./keywords.js";
import { readAllowFailure, readNeeds, readRetry, readScript, readTags, readText, readTimeout, readVariables, readWhen } from "./values.js";
import type { YamlMap, YamlNode } from "./yaml-node.js";

/** What a job, or `default:`, says of itself; what it does not say is undefined. */
export interface JobKeywords {
  stage?: string | undefined;
  needs?: readonly (JobNeed & { readonly line: number })[] | undefined;
  beforeScript?: readonly string[] | undefined;
  script?: readonly string[] | undefined;
  afterScript?: readonly string[] | undefined;
  variables?: readonly CiVariable[] | undefined;
  tags?: readonly string[] | undefined;
  when?: JobWhen | undefined;
  allowFailure?: boolean | { readonly exitCodes: readonly number[] } | undefined;
  retry?: JobRetry | undefined;
  timeoutS?: number | undefined;
  startInS?: number | undefined;
  resourceGroup?: string | undefined;
}

type Reader = (node: YamlNode, place: Place) => JobKeywords;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["stage", (node, place) => ({ stage: readText(node, place) })],
  ["needs", (node, place) => ({ needs: readNeeds(node, place) })],
  ["before_script", (node, place) => ({ beforeScript: readScript(node, place) })],
  ["script", (node, place) => ({ script: readScript(node, place) })],
  ["after_script", (node, place) => ({ afterScript: readScript(node, place) })],
  ["variables", (node, place) => ({ variables: readVariables(node, place) })],
  ["tags", (node, place) => ({ tags: readTags(node, place) })],
  ["when", (node, place) => ({ when: readWhen(node, place) })],
  ["allow_failure", (node, place) => ({ allowFailure: readAllowFailure(node, place) })],
  ["retry", (node, place) => ({ retry: readRetry(node, place) })],
  ["timeout", (node, place) => ({ timeoutS: readTimeout(node, place) })],
  ["start_in", (node, place) => ({ startInS: readTimeout(node, place) })],
  ["resource_group", (node, place) => ({ resourceGroup: readText(node, place) })],
]);

/** Reads all keywords of a mapping. A keyword without a value counts as not said: that is how `extends` takes one back. */
export function readJobKeywords(map: YamlMap, place: Place): JobKeywords {
  let said: JobKeywords = {};
  for (const [keyword, { line, node }] of map.entries) {
    if (ignoredKeywords.has(keyword) || (node.kind === "scalar" && node.value === null)) continue;
    const at = place.inner(keyword, line);
    const read = readers.get(keyword);
    if (read === undefined) at.say(refuseKeyword(keyword, "a job"));
    else said = { ...said, ...read(node, at) };
  }
  return said;
}
