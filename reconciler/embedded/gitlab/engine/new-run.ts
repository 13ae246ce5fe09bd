import type { PipelineDefinition } from "../ci-file/definition.js";
import { type Fresh, newJob } from "./new-job.js";
import type { Pipeline, Run } from "./run.js";

/** What a pipeline is made from. */
export type NewPipeline = Pick<Pipeline, "projectId" | "ref" | "commit" | "beforeSha" | "source" | "tag" | "protected" | "variables">;

/** The file's definition, or what is wrong with the file. */
export type Read = { readonly definition: PipelineDefinition } | { readonly yamlErrors: string };

/** A run whose jobs all wait still. A file that could not be read makes a pipeline without jobs that has failed. */
export function newRun(
  made: NewPipeline,
  ids: { readonly id: number; readonly iid: number },
  read: Read,
  fresh: () => Fresh,
  timeoutS: number,
  now: number,
): Run {
  const refused = "yamlErrors" in read;
  const pipeline: Pipeline = {
    ...made,
    ...ids,
    stages: refused ? [] : read.definition.stages,
    status: refused ? "failed" : "created",
    yamlErrors: refused ? read.yamlErrors : undefined,
    createdAt: now,
    updatedAt: now,
    startedAt: undefined,
    finishedAt: refused ? now : undefined,
  };
  return { pipeline, jobs: refused ? [] : read.definition.jobs.map((definition) => newJob(definition, fresh(), timeoutS, now)) };
}
