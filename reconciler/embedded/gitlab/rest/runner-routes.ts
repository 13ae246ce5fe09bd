import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Scope } from "../../../model/connection.js";
import { groupEntity, projectEntity } from "../entities/project-entity.js";
import { managerEntity, runnerDetails, runnerEntity } from "../entities/runner-entity.js";
import { callerOf, needs } from "../http/access.js";
import { parametersOf, wholeNumber } from "../http/parameters.js";
import { badParameter, badRequest, forbidden, notFound } from "../http/refusal.js";
import { roles } from "../records/members.js";
import type { Runner } from "../records/runner.js";
import type { User } from "../records/user.js";
import type { World } from "../world.js";
import { managesRunner, seesRunner, standingInGroup, standingInProject } from "./abilities.js";
import { projectOf, runnerOf } from "./lookups.js";
import { checkLimit } from "./runner-limit.js";
import { changedRunner, changeOf, checkSettings, newRunner, settingsOf } from "./runner-settings.js";

const assigned = z.object({ runner_id: wholeNumber });

/** Runners one by one, as those who look after them make, see, change and delete them. */
export function runnerRoutes(app: FastifyInstance, world: World): void {
  const { runners, projects, clock } = world;

  const details = (runner: Runner) => {
    const { scope } = runner;
    const own = "projectId" in scope ? [scope.projectId, ...runner.alsoProjectIds] : [];
    const inGroup = "groupId" in scope ? projects.findNamespace(String(scope.groupId)) : undefined;
    const owners = {
      projects: own.flatMap((id) => projects.find(String(id)) ?? []).map((project) => projectEntity(project, world.url())),
      groups: inGroup === undefined ? [] : [groupEntity(inGroup, world.url())],
    };
    return runnerDetails(runner, owners, clock.now(), world.url());
  };
  const visible = (request: FastifyRequest): Runner => {
    const runner = runnerOf(world, request);
    if (!seesRunner(world, callerOf(world, request).user, runner)) throw forbidden("No access granted");
    return runner;
  };
  const managed = (request: FastifyRequest): Runner => {
    const runner = runnerOf(world, request);
    if (!managesRunner(world, callerOf(world, request).user, runner)) throw forbidden("No access granted");
    return runner;
  };

  app.post("/user/runners", needs(world, "create_runner"), async (request, reply) => {
    const asked = parametersOf(newRunner, request);
    const { user } = callerOf(world, request);
    const scope = scopeOf(world, asked, user);
    const settings = settingsOf(asked);
    // Here GitLab tells in one sentence what it tells by field when a runner is changed.
    checkSettings(settings, (field, text) => badRequest(`400 Bad request - ${sentence(field)} ${text}`));
    checkLimit(world, asked.runner_type, scope);
    const runner = runners.add({ type: asked.runner_type, scope, creator: user, ...settings });
    return reply.code(201).send({ id: runner.id, token: runner.token, token_expires_at: null });
  });

  const reading = needs(world, "read_api", "manage_runner");
  const managing = needs(world, "manage_runner");
  app.get("/runners/:id", reading, async (request) => details(visible(request)));
  app.get("/runners/:id/managers", reading, async (request) =>
    visible(request).managers.map((manager) => managerEntity(manager, clock.now())),
  );
  app.put("/runners/:id", managing, async (request) => {
    const runner = managed(request);
    const change = changeOf(parametersOf(changedRunner, request));
    if (Object.keys(change).length === 0) throw badParameter(atLeastOne);
    checkSettings({ ...runner, ...change }, (field, text) => badRequest({ [field]: [text] }));
    return details(runners.change(runner.id, change) ?? runner);
  });
  app.delete("/runners/:id", managing, async (request, reply) => {
    const runner = managed(request);
    if (runner.alsoProjectIds.length > 0 && !callerOf(world, request).user.admin) {
      throw forbidden("Runner associated with more than one project");
    }
    runners.remove(runner.id);
    return reply.code(204).send();
  });
  app.post("/runners/:id/reset_authentication_token", managing, async (request, reply) => {
    const runner = runners.renewToken(managed(request).id);
    return reply.code(201).send({ token: runner?.token, token_expires_at: null });
  });

  app.post("/projects/:id/runners", needs(world), async (request, reply) => {
    const project = projectOf(world, request, roles.maintainer);
    const { user } = callerOf(world, request);
    const runner = runners.find(parametersOf(assigned, request).runner_id);
    if (runner === undefined) throw notFound("Runner");
    if (runner.type === "group_type") throw forbidden("Runner is a group runner");
    if (!user.admin && runner.locked) throw forbidden("Runner is locked");
    if (!managesRunner(world, user, runner)) throw forbidden("No access granted");
    // Uncertain: GitLab's words for an instance runner, and for a project that has the runner already.
    if (!("projectId" in runner.scope) || projectIdsOf(runner).includes(project.id))
      throw badRequest("400 Bad request - Runner cannot be assigned");
    const after = runners.change(runner.id, { alsoProjectIds: [...runner.alsoProjectIds, project.id] });
    return reply.code(201).send(runnerEntity(after ?? runner, clock.now(), world.url()));
  });
  app.delete("/projects/:id/runners/:runner_id", needs(world), async (request, reply) => {
    const project = projectOf(world, request, roles.maintainer);
    const runner = runnerOf(world, request, "runner_id");
    if (!projectIdsOf(runner).includes(project.id)) throw notFound("Runner");
    if (!runner.alsoProjectIds.includes(project.id)) {
      throw forbidden("You cannot unassign a runner from the owner project. Delete the runner instead");
    }
    runners.change(runner.id, { alsoProjectIds: runner.alsoProjectIds.filter((id) => id !== project.id) });
    return reply.code(204).send();
  });
}

const atLeastOne =
  "description, active, paused, tag_list, run_untagged, locked, access_level, maximum_timeout, maintenance_note are missing, at least one parameter must be provided";

/** `tags_list` as a sentence begins: `Tags list`. */
const sentence = (field: string): string => `${field.charAt(0).toUpperCase()}${field.slice(1).replaceAll("_", " ")}`;

const projectIdsOf = ({ scope, alsoProjectIds }: Runner): readonly number[] =>
  "projectId" in scope ? [scope.projectId, ...alsoProjectIds] : alsoProjectIds;

/** What the runner is made for. GitLab tells a scope that is not there from one where the caller may not. */
function scopeOf(world: World, asked: z.output<typeof newRunner>, user: User): Scope {
  const { runner_type: type, project_id: projectId, group_id: groupId } = asked;
  const insufficient = () => forbidden("Insufficient permissions");
  if (type === "instance_type") {
    if (!user.admin) throw insufficient();
    return { instance: true };
  }
  if (type === "project_type") {
    if (projectId === undefined) throw badParameter("project_id is missing");
    const project = world.projects.find(String(projectId));
    if (project === undefined) throw badRequest("400 Bad request - Missing/invalid project");
    if (standingInProject(world, user, project) < roles.maintainer) throw insufficient();
    return { projectId };
  }
  if (groupId === undefined) throw badParameter("group_id is missing");
  const group = world.projects.findNamespace(String(groupId));
  if (group?.kind !== "group") throw badRequest("400 Bad request - Missing/invalid group");
  if (standingInGroup(world, user, group) < roles.owner) throw insufficient();
  return { groupId };
}
