import type { Clock } from "../../../model/clock.js";
import type { Change } from "../engine/changes.js";
import type { Engine } from "../engine/engine.js";
import type { Job, JobStatus } from "../engine/run.js";
import type { Projects } from "../records/projects.js";
import type { Runner } from "../records/runner.js";
import type { Deliveries } from "./deliveries.js";
import type { Hook, Hooks } from "./hook.js";
import { jobPayload } from "./job-payload.js";
import { pipelinePayload } from "./pipeline-payload.js";

export interface Announcer {
  readonly engine: Engine;
  readonly projects: Projects;
  readonly hooks: Hooks;
  readonly deliveries: Deliveries;
  readonly runnerOf: (job: Job) => Runner | undefined;
  readonly url: () => string;
  readonly clock: Pick<Clock, "now">;
}

/** What GitLab sends Job Hooks for; the statuses between them are passed in silence. */
const told: ReadonlySet<JobStatus> = new Set(["created", "pending", "running", "success", "failed", "canceled"]);

/** Tells the projects' hooks of every change of a job or pipeline. */
export function announceChanges(announcer: Announcer): void {
  const { engine, projects, hooks, deliveries } = announcer;
  engine.onChange((change) => {
    const listening = hooks.ofProject(change.run.pipeline.projectId).filter((hook) => wants(hook, change));
    const project = projects.find(String(change.run.pipeline.projectId));
    if (listening.length === 0 || project === undefined) return;
    const event = change.kind === "job" ? "Job Hook" : "Pipeline Hook";
    const context = { run: change.run, project, url: announcer.url(), now: announcer.clock.now() };
    const payload =
      change.kind === "job"
        ? jobPayload({ ...context, job: change.job, runner: announcer.runnerOf(change.job) })
        : pipelinePayload({ ...context, runnerOf: announcer.runnerOf });
    const body = JSON.stringify(payload);
    for (const hook of listening) deliveries.send(hook, event, body);
  });
}

function wants(hook: Hook, change: Change): boolean {
  return change.kind === "job" ? hook.jobEvents && told.has(change.job.status) : hook.pipelineEvents;
}
