import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Scope } from "../../../model/connection.js";
import { runnerJobEntity } from "../entities/job-entity.js";
import { groupEntity, projectEntity } from "../entities/project-entity.js";
import { managerEntity, runnerDetails, runnerEntity } from "../entities/runner-entity.js";
import { needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { flag, parametersOf, texts } from "../http/parameters.js";
import { badParameter, badRequest, notFound } from "../http/refusal.js";
import { type Runner, type RunnerType, runnerStatus } from "../records/runner.js";
import { shown, type World } from "../world.js";
import { pathPart, projectOf, runnerOf } from "./lookups.js";
import { changedRunner, changeOf, checkSettings, newRunner, settingsOf } from "./runner-settings.js";

const listed = z.object({
  type: z.enum(["instance_type", "group_type", "project_type"]).optional(),
  status: z.enum(["online", "offline", "stale", "never_contacted", "active", "paused"]).optional(),
  paused: flag.optional(),
  tag_list: texts.optional(),
  system_id: z.string().optional(),
});
const jobsListed = z.object({ status: z.enum(["running", "success", "failed", "canceled"]).optional(), system_id: z.string().optional() });
const weekMs = 7 * 86_400_000;
const maxRunners = 10_000;

/** Runners as those who look after them see them. */
export function runnerRoutes(app: FastifyInstance, world: World): void {
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
      .filter((runner) => asked.status === undefined || hasStatus(runner, asked.status, now));
    return page(request, reply, found.toReversed(), world.url(), "id").map((runner) => runnerEntity(runner, now));
  }

  const details = (runner: Runner) => {
    const { scope } = runner;
    const inProject = "projectId" in scope ? projects.find(String(scope.projectId)) : undefined;
    const inGroup = "groupId" in scope ? projects.findNamespace(String(scope.groupId)) : undefined;
    const owners = {
      projects: inProject === undefined ? [] : [projectEntity(inProject, world.url())],
      groups: inGroup === undefined ? [] : [groupEntity(inGroup, world.url())],
    };
    return runnerDetails(runner, owners, clock.now());
  };

  app.post("/user/runners", needs(world, "create_runner"), async (request, reply) => {
    const asked = parametersOf(newRunner, request);
    const scope = scopeOf(world, asked);
    const settings = settingsOf(asked);
    checkSettings(settings);
    checkLimit(world, asked.runner_type, scope);
    const runner = runners.add({ type: asked.runner_type, scope, ...settings });
    return reply.code(201).send({ id: runner.id, token: runner.token, token_expires_at: null });
  });

  const reading = needs(world, "read_api", "manage_runner");
  const managing = needs(world, "manage_runner");
  app.get("/runners", reading, async (request, reply) => list(request, reply, (runner) => runner.type !== "instance_type"));
  app.get("/runners/all", reading, async (request, reply) => list(request, reply, () => true));
  app.get("/projects/:id/runners", reading, async (request, reply) => {
    const project = projectOf(world, request);
    const groupIds = projects.groupIdsOf(project);
    return list(request, reply, ({ scope }) =>
      "projectId" in scope ? scope.projectId === project.id : "groupId" in scope ? groupIds.includes(scope.groupId) : true,
    );
  });
  app.get("/groups/:id/runners", reading, async (request, reply) => {
    const group = projects.findNamespace(pathPart(request, "id"));
    if (group?.kind !== "group") throw notFound("Group");
    return list(request, reply, ({ scope }) => ("projectId" in scope ? false : "groupId" in scope ? scope.groupId === group.id : true));
  });

  app.get("/runners/:id", reading, async (request) => details(runnerOf(world, request)));
  app.put("/runners/:id", managing, async (request) => {
    const runner = runnerOf(world, request);
    const change = changeOf(parametersOf(changedRunner, request));
    checkSettings({ ...runner, ...change });
    return details(runners.change(runner.id, change) ?? runner);
  });
  app.delete("/runners/:id", managing, async (request, reply) => {
    runners.remove(runnerOf(world, request).id);
    return reply.code(204).send();
  });
  app.get("/runners/:id/managers", reading, async (request) =>
    runnerOf(world, request).managers.map((manager) => managerEntity(manager, clock.now())),
  );
  app.get("/runners/:id/jobs", reading, async (request, reply) => {
    const runner = runnerOf(world, request);
    const { status, system_id: systemId } = parametersOf(jobsListed, request);
    const jobs = world.engine
      .runs()
      .flatMap((run) => {
        const project = projects.find(String(run.pipeline.projectId));
        return project === undefined ? [] : run.jobs.map((job) => ({ id: job.id, project, run, job }));
      })
      .filter(({ job }) => job.assignment?.runnerId === runner.id)
      .filter(({ job }) => systemId === undefined || job.assignment?.systemId === systemId)
      .filter(({ job }) => status === undefined || job.status === status)
      .sort((a, b) => b.id - a.id);
    return page(request, reply, jobs, world.url()).map(({ project, run, job }) => runnerJobEntity(shown(world, { run, job }, project)));
  });
  app.post("/runners/:id/reset_authentication_token", managing, async (request, reply) => {
    const runner = runners.renewToken(runnerOf(world, request).id);
    return reply.code(201).send({ token: runner?.token, token_expires_at: null });
  });
}

function hasStatus(runner: Runner, status: NonNullable<z.output<typeof listed>["status"]>, now: number): boolean {
  if (status === "active") return !runner.paused;
  return status === "paused" ? runner.paused : runnerStatus(runner.contactedAt, runner.createdAt, now) === status;
}

function scopeOf(world: World, asked: z.output<typeof newRunner>): Scope {
  const { runner_type: type, project_id: projectId, group_id: groupId } = asked;
  if (type === "instance_type") return { instance: true };
  if (type === "project_type") {
    if (projectId === undefined) throw badParameter("project_id is missing");
    if (world.projects.find(String(projectId)) === undefined) throw notFound("Project");
    return { projectId };
  }
  if (groupId === undefined) throw badParameter("group_id is missing");
  if (world.projects.findNamespace(String(groupId))?.kind !== "group") throw notFound("Group");
  return { groupId };
}

/** The plan's limit: runners that were made or heard within a week count, for each project and group by itself. */
function checkLimit(world: World, type: RunnerType, scope: Scope): void {
  const since = world.clock.now() - weekMs;
  const same = JSON.stringify(scope);
  const all = world.runners.all();
  const counted = all.filter(
    (runner) => JSON.stringify(runner.scope) === same && Math.max(runner.createdAt, runner.contactedAt ?? 0) > since,
  );
  const allowed = type === "instance_type" ? maxRunners : world.dials().runnerLimit;
  if (counted.length < allowed && all.length < maxRunners) return;
  const what = type === "group_type" ? "group" : "project";
  throw badRequest(`400 Bad request - Maximum number of ci registered ${what} runners (${allowed}) exceeded`);
}
