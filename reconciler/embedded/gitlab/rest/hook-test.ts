import { jobPayload } from "../hooks/job-payload.js";
import { pipelinePayload } from "../hooks/pipeline-payload.js";
import { badParameter, unprocessable } from "../http/refusal.js";
import type { Project } from "../records/project.js";
import { shown, type World } from "../world.js";

/** What a test of a hook sends: the latest pipeline of the projects, or its first job. Throws GitLab's refusals. */
export function testPayload(
  world: World,
  projects: readonly Project[],
  trigger: string,
): { readonly event: string; readonly body: string } {
  if (trigger !== "job_events" && trigger !== "pipeline_events") throw badParameter("trigger does not have a valid value");
  const run = projects.flatMap(({ id }) => world.engine.runsOf(id).slice(0, 1)).sort((a, b) => b.pipeline.id - a.pipeline.id)[0];
  const project = run === undefined ? undefined : world.projects.find(String(run.pipeline.projectId));
  if (run === undefined || project === undefined) throw unprocessable("Ensure the project has CI pipelines.");
  if (trigger === "job_events") {
    const job = run.jobs[0];
    if (job === undefined) throw unprocessable("Ensure the project has CI jobs.");
    return { event: "Job Hook", body: JSON.stringify(jobPayload(shown(world, { run, job }, project))) };
  }
  const runnerOf = (of: (typeof run.jobs)[number]) => world.runners.find(of.assignment?.runnerId ?? 0);
  const payload = pipelinePayload({ run, project, runnerOf, url: world.url(), now: world.clock.now() });
  return { event: "Pipeline Hook", body: JSON.stringify(payload) };
}
