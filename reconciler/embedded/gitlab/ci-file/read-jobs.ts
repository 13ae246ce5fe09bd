import type { CiVariable } from "./definition.js";
import { Extender } from "./extend.js";
import { type Findings, Place, quote } from "./findings.js";
import { type JobKeywords, readJobKeywords } from "./job-keywords.js";
import { topKeywords } from "./keywords.js";
import type { PlacedJob } from "./order.js";
import type { YamlEntry, YamlMap } from "./yaml-node.js";

const noRetry = { max: 0, when: ["always"] } as const;

/** What holds for every job of a file. */
export interface JobContext {
  readonly findings: Findings;
  readonly defaults: JobKeywords;
  readonly variables: readonly CiVariable[];
}

/** All visible jobs of a file, in its order; jobs that cannot be read at all are left out, which is then said. */
export function readJobs(root: YamlMap, context: JobContext): readonly PlacedJob[] {
  const entries = new Map([...root.entries].filter(([name]) => !topKeywords.has(name)));
  const extender = new Extender(entries, context.findings);
  const visible = [...entries].filter(([name]) => !name.startsWith("."));
  const names = new Set(visible.map(([name]) => name));
  return visible.flatMap(([name, entry]) => {
    const map = extender.extend(name);
    if (map === undefined) return [];
    const placed = readJob(name, entry, map, context);
    const needs = placed.job.needs?.filter(({ job, optional }) => !optional || names.has(job));
    return [{ ...placed, job: { ...placed.job, needs } }];
  });
}

function readJob(name: string, entry: YamlEntry, map: YamlMap, context: JobContext): PlacedJob {
  const place = new Place(context.findings, entry.line, `job ${quote(name)}`);
  if (name === "" || name.length > 255) place.say("a job's name has 1 to 255 characters");
  const said = readJobKeywords(map, place);
  requireScript(said, map, place);
  const whole = { ...context.defaults, ...said };
  const when = whole.when ?? "on_success";
  if ((when === "delayed") !== (whole.startInS !== undefined))
    place.say("start_in belongs to a job with when: delayed, and such a job needs it");
  return {
    line: entry.line,
    stageLine: map.entries.get("stage")?.line ?? entry.line,
    needs: said.needs ?? [],
    job: {
      name,
      stage: whole.stage ?? "test",
      needs: said.needs?.map(({ job, optional }) => ({ job, optional })),
      beforeScript: whole.beforeScript ?? [],
      script: whole.script ?? [],
      afterScript: whole.afterScript ?? [],
      variables: joinVariables(context.variables, said.variables ?? []),
      tags: whole.tags ?? [],
      when,
      // A job that waits for a person holds nothing up unless the file says so.
      allowFailure: whole.allowFailure ?? when === "manual",
      retry: whole.retry ?? noRetry,
      timeoutS: whole.timeoutS,
      startInS: whole.startInS,
      resourceGroup: whole.resourceGroup,
    },
  };
}

function requireScript(said: JobKeywords, map: YamlMap, place: Place): void {
  const entry = map.entries.get("script");
  if (entry === undefined || (entry.node.kind === "scalar" && entry.node.value === null)) {
    place.say("script is missing: a job needs at least one command");
  } else if (said.script?.every((command) => command.trim() === "")) {
    place.inner("script", entry.line).say("is empty: a job needs at least one command");
  }
}

function joinVariables(global: readonly CiVariable[], own: readonly CiVariable[]): readonly CiVariable[] {
  return [...new Map([...global, ...own].map(({ key, value }) => [key, value]))].map(([key, value]) => ({ key, value }));
}
