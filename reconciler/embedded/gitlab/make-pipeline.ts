import { FireRunnerError } from "../../model/errors.js";
import { parseCiFile } from "./ci-file/parse-ci-file.js";
import type { Engine } from "./engine/engine.js";
import type { Read } from "./engine/new-run.js";
import type { Pipeline, PipelineVariable, Run } from "./engine/run.js";
import type { Repositories } from "./git/repositories.js";
import type { Project } from "./records/project.js";
import type { ProtectedRefs } from "./records/protected-refs.js";

interface Makers {
  readonly engine: Engine;
  readonly repositories: Repositories;
  readonly protectedRefs: ProtectedRefs;
}

/** A pipeline to be made of what a ref leads to. */
export interface PipelineRequest {
  readonly project: Project;
  /** `refs/heads/…` or `refs/tags/…`. */
  readonly ref: string;
  readonly sha: string;
  readonly beforeSha: string;
  readonly source: Pipeline["source"];
  readonly variables: readonly PipelineVariable[];
}

export type PipelineMade =
  | { readonly outcome: "made"; readonly run: Run }
  /** The commit has no CI file, asks for no pipeline, or too many pipelines have not ended. */
  | { readonly outcome: "no-file" | "skipped" | "full" };

const ciFile = ".gitlab-ci.yml";

/** The name of a branch or tag without its `refs/heads/` or `refs/tags/`. */
export const shortRef = (ref: string): string => ref.replace(/^refs\/(heads|tags)\//, "");

/** Makes a pipeline of the commit's own CI file. A file that is refused makes a pipeline that has failed. */
export async function makePipeline({ engine, repositories, protectedRefs }: Makers, request: PipelineRequest): Promise<PipelineMade> {
  const { project, ref, sha, beforeSha, source, variables } = request;
  const commit = await repositories.commit(project.id, sha);
  if (commit === undefined) return { outcome: "no-file" };
  if (source === "push" && /\[(ci skip|skip ci)\]/i.test(commit.message)) return { outcome: "skipped" };
  const read = await readFile(repositories, project.id, sha);
  if (read === undefined) return { outcome: "no-file" };
  if (engine.full()) return { outcome: "full" };
  const kind = ref.startsWith("refs/heads/") ? "branches" : "tags";
  const made = {
    projectId: project.id,
    ref: shortRef(ref),
    commit,
    beforeSha,
    source,
    protected: protectedRefs.covers(project.id, kind, shortRef(ref)),
    tag: kind === "tags",
    variables,
  };
  return { outcome: "made", run: engine.create(made, read) };
}

async function readFile(repositories: Repositories, projectId: number, sha: string): Promise<Read | undefined> {
  try {
    const text = await repositories.file(projectId, sha, ciFile);
    return text === undefined ? undefined : { definition: parseCiFile(text) };
  } catch (caught) {
    if (caught instanceof FireRunnerError && caught.code === "FR-INVALID") return { yamlErrors: caught.message };
    throw caught;
  }
}
