import type { Clock } from "../../../model/clock.js";
import type { Dials } from "../dials.js";
import type { Change } from "../engine/changes.js";
import type { Engine } from "../engine/engine.js";
import type { Job, JobStatus } from "../engine/run.js";
import type { Projects } from "../records/projects.js";
import type { Runner } from "../records/runner.js";
import { createCallLimit } from "./call-limit.js";
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
  readonly dials: () => Dials["hooks"];
}

/** What GitLab sends Job Hooks for; the statuses between them are passed in silence. */
const told: ReadonlySet<JobStatus> = new Set(["created", "pending", "running", "success", "failed", "canceled"]);

/**
 * Tells the hooks of the project and of all groups that it is in of every change of a job or pipeline. Each of them gets
 * a delivery of its own with the same body. Beyond the namespace's limit a minute GitLab drops deliveries without a word.
 */
export function announceChanges(announcer: Announcer): void {
  const { engine, projects, hooks, deliveries, clock, dials } = announcer;
  const limit = createCallLimit(clock);
  engine.onChange((change) => {
    const project = projects.find(String(change.run.pipeline.projectId));
    if (project === undefined) return;
    const owners = [{ projectId: project.id }, ...projects.groupIdsOf(project).map((groupId) => ({ groupId }))];
    const listening = owners.flatMap((owner) => hooks.of(owner)).filter((hook) => wants(hook, change));
    if (listening.length === 0) return;
    const event = change.kind === "job" ? "Job Hook" : "Pipeline Hook";
    const context = { run: change.run, project, url: announcer.url(), now: clock.now() };
    const payload =
      change.kind === "job"
        ? jobPayload({ ...context, job: change.job, runner: announcer.runnerOf(change.job) })
        : pipelinePayload({ ...context, runnerOf: announcer.runnerOf });
    const body = JSON.stringify(payload);
    const root = project.namespace.fullPath.split("/")[0] ?? "";
    for (const hook of listening) if (limit.admit(root, dials().callsPerMinute)) deliveries.send(hook, event, body);
  });
}

function wants(hook: Hook, change: Change): boolean {
  return change.kind === "job" ? hook.jobEvents && told.has(change.job.status) : hook.pipelineEvents;
}
