import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { runnerJobEntity } from "../entities/job-entity.js";
import { runnerEntity } from "../entities/runner-entity.js";
import { callerOf, needs } from "../http/access.js";
import { keysetByCursor, page } from "../http/paging.js";
import { flag, parametersOf, texts } from "../http/parameters.js";
import { forbidden } from "../http/refusal.js";
import { roles } from "../records/members.js";
import { type Runner, runnerStatus } from "../records/runner.js";
import { shown, type World } from "../world.js";
import { managesRunner, standingInProject, standingToRunner } from "./abilities.js";
import { adminOnly, groupOf, projectOf, runnerOf } from "./lookups.js";

const listed = z.object({
  type: z.enum(["instance_type", "group_type", "project_type"]).optional(),
  status: z.enum(["online", "offline", "stale", "never_contacted", "active", "paused"]).optional(),
  paused: flag.optional(),
  tag_list: texts.optional(),
  version_prefix: z
    .string()
    .regex(/^[\d+.]+/)
    .optional(),
});
const jobsListed = z.object({
  status: z
    .enum(["created", "pending", "running", "success", "failed", "canceled", "canceling", "skipped", "manual", "scheduled"])
    .optional(),
  system_id: z.string().optional(),
});

/**
 * The lists of runners, and of what a runner has done. The scope `manage_runner` is of no use for lists without an id.
 * Runners come newest first here; GitLab, which takes no `sort` for them, begins with the oldest.
 */
export function runnerLists(app: FastifyInstance, world: World): void {
  const { runners, projects, clock } = world;

  function list(request: FastifyRequest, reply: FastifyReply, of: (runner: Runner) => boolean) {
    const asked = parametersOf(listed, request);
    const now = clock.now();
    const found = runners
      .all()
      .filter(of)
      .filter((runner) => asked.type === undefined || runner.type === asked.type)
      .filter((runner) => asked.paused === undefined || runner.paused === asked.paused)
      .filter((runner) => asked.tag_list?.every((tag) => runner.tags.includes(tag)) ?? true)
      .filter(({ managers }) => asked.version_prefix === undefined || managers[0]?.version?.startsWith(asked.version_prefix) === true)
      .filter((runner) => asked.status === undefined || hasStatus(runner, asked.status, now));
    return page(request, reply, found.toReversed(), world.url()).map((runner) => runnerEntity(runner, now, world.url()));
  }

  const reading = needs(world, "read_api");
  app.get("/runners", reading, async (request, reply) => {
    const { user } = callerOf(world, request);
    return list(request, reply, (runner) => runner.type !== "instance_type" && managesRunner(world, user, runner));
  });
  app.get("/runners/all", reading, async (request, reply) => {
    adminOnly(world, request);
    return list(request, reply, () => true);
  });
  app.get("/projects/:id/runners", reading, async (request, reply) => {
    const project = projectOf(world, request, roles.maintainer);
    const groupIds = projects.groupIdsOf(project);
    return list(request, reply, (runner) => runner.alsoProjectIds.includes(project.id) || worksFor(runner, project.id, groupIds));
  });
  // Uncertain: which role sees a group's runners has changed between versions; Maintainers see them now.
  app.get("/groups/:id/runners", reading, async (request, reply) => {
    const groupIds = projects.lineageOf(groupOf(world, request, roles.maintainer));
    return list(request, reply, (runner) => worksFor(runner, undefined, groupIds));
  });

  app.get("/runners/:id/jobs", needs(world, "read_api", "manage_runner"), async (request, reply) => {
    const runner = runnerOf(world, request);
    const { user } = callerOf(world, request);
    if (standingToRunner(world, user, runner) < roles.maintainer) throw forbidden("No access granted");
    const { status, system_id: systemId } = parametersOf(jobsListed, request);
    const jobs = world.engine
      .runs()
      .flatMap((run) => {
        const project = projects.find(String(run.pipeline.projectId));
        if (project === undefined || standingInProject(world, user, project) < roles.reporter) return [];
        return run.jobs.map((job) => ({ id: job.id, project, run, job }));
      })
      .filter(({ job }) => job.assignment?.runnerId === runner.id)
      .filter(({ job }) => systemId === undefined || job.assignment?.systemId === systemId)
      .filter(({ job }) => status === undefined || job.status === status)
      .sort((a, b) => b.id - a.id);
    const paging = { keyset: keysetByCursor, uncounted: systemId !== undefined };
    return page(request, reply, jobs, world.url(), paging).map(({ project, run, job }) =>
      runnerJobEntity(shown(world, { run, job }, project)),
    );
  });
}

/** Whether the runner works for the project or one of the groups, or for the whole instance. */
function worksFor({ scope }: Runner, projectId: number | undefined, groupIds: readonly number[]): boolean {
  if ("projectId" in scope) return scope.projectId === projectId;
  return "groupId" in scope ? groupIds.includes(scope.groupId) : true;
}

function hasStatus(runner: Runner, status: NonNullable<z.output<typeof listed>["status"]>, now: number): boolean {
  if (status === "active") return !runner.paused;
  return status === "paused" ? runner.paused : runnerStatus(runner.contactedAt, runner.createdAt, now) === status;
}
