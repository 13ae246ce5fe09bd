import type { Job } from "../../model/job.js";
import type { Terminal } from "../terminal.js";
import type { DevState } from "./dev-state.js";
import { followPipeline } from "./follow-pipeline.js";
import { createGitLabClient } from "./gitlab-client.js";
import { pushFolder } from "./push-folder.js";
import type { JobRow } from "./rows.js";
import { scriptOutput } from "./script-output.js";
import { summaryTable } from "./summary.js";
import type { PipelineView } from "./view.js";

const linesPerJob = 6;

export interface RunPipelineOptions {
  readonly folder: string;
  readonly state: DevState;
  /** What FireRunner knows of a project's jobs. */
  readonly known: (projectId: number) => Promise<readonly Job[]> | readonly Job[];
  readonly terminal: Terminal;
  readonly view: PipelineView;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** The name of a job that is cancelled as soon as it is seen to wait in vain: no pool takes it. */
  readonly cancelWhenWaitingInVain?: string;
}

/** Pushes a folder, shows its pipeline until it is over, then what the jobs printed and where they ran; tells whether it succeeded. */
export async function runPipeline(options: RunPipelineOptions): Promise<boolean> {
  const { state, view, terminal } = options;
  const gitlab = createGitLabClient(state.gitlab);
  const { project, pipeline } = await pushFolder(options.folder, gitlab, state);
  view.say(`${project.path_with_namespace}: pipeline ${pipeline.id} of commit ${pipeline.sha.slice(0, 8)}`);
  const cancelled = new Set<number>();
  const show = (rows: readonly JobRow[]) => {
    view.show(rows);
    for (const row of rows) {
      if (row.name !== options.cancelWhenWaitingInVain || row.reason?.code !== "FR-NO-POOL" || cancelled.has(row.jobId)) continue;
      cancelled.add(row.jobId);
      view.say(`${row.name} waits in vain, so it is cancelled, as a person would (${row.reason.message})`);
      // A failure shows: the job goes on waiting, and the pipeline's deadline names it.
      void gitlab.cancelJob(project.id, row.jobId).catch((error: unknown) => view.say(`${row.name} was not cancelled: ${String(error)}`));
    }
  };
  const followed = await followPipeline({ ...options, gitlab, projectId: project.id, pipelineId: pipeline.id, show });
  terminal.print("\nWhat the jobs printed:");
  for (const row of followed.rows) {
    const lines = scriptOutput(await gitlab.log(project.id, row.jobId), linesPerJob);
    if (lines.length > 0) terminal.print([`  ${row.name}`, ...lines.map((line) => `    ${line}`)].join("\n"));
  }
  terminal.print(`\n${summaryTable(followed.rows, terminal.style)}\n`);
  return followed.pipeline.status === "success";
}
