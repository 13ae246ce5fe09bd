import { defineCommand } from "citty";
import { z } from "zod";
import { FireRunnerError } from "../../model/errors.js";
import { type Job, jobSchema } from "../../model/job.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";
import { type DevState, devDirectory, findDevState, stateDirArg } from "./dev-state.js";
import { runPipeline } from "./run-pipeline.js";
import { createView } from "./view.js";

const pipelineDeadlineMs = 60 * 60_000;
const pageSchema = z.object({ items: z.array(jobSchema.loose()) });

/** `firerunner dev push PATH`: runs a folder's pipeline in the development world that is up. */
export const pushCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dev push", description: "Run a folder's .gitlab-ci.yml in the development world that is up" },
    args: {
      path: { type: "positional", required: true, description: "The folder, as it is now; files that git ignores are left out" },
      ...stateDirArg,
    },
    async run({ args }) {
      const state = findDevState(args["state-dir"] ?? devDirectory(terminal.env));
      const succeeded = await runPipeline({
        folder: args.path,
        state,
        known: (projectId) => knownJobs(state, projectId),
        terminal,
        view: createView(terminal),
        deadlineMs: pipelineDeadlineMs,
        signal: untilAsked().signal,
      });
      process.exitCode = succeeded ? 0 : 1;
    },
  });

async function knownJobs({ admin }: DevState, projectId: number): Promise<readonly Job[]> {
  const url = `${admin.url}/v1/jobs?connection=embedded&projectId=${projectId}&limit=1000`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${admin.token}` }, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new FireRunnerError("FR-INVALID", `GET ${url} was answered ${response.status}`);
  return pageSchema.parse(await response.json()).items;
}
