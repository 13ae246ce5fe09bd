import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { groupEntity, namespaceEntity, projectEntity } from "../entities/project-entity.js";
import { callerOf, needs } from "../http/access.js";
import { keysetById, page } from "../http/paging.js";
import { flag, parametersOf, wholeNumber } from "../http/parameters.js";
import { badRequest, forbidden, notFound } from "../http/refusal.js";
import { roles } from "../records/members.js";
import type { Project } from "../records/project.js";
import { isPath } from "../records/projects.js";
import type { World } from "../world.js";
import { makesProjects, seesGroup, seesProject, standingInGroup } from "./abilities.js";
import { addProject, newProject, removeProject } from "./add-project.js";
import { groupOf, projectOf } from "./lookups.js";

const newGroup = z.object({ name: z.string().min(1).max(255), path: z.string().min(1).max(255), parent_id: wholeNumber.optional() });
const listed = z.object({ search: z.string().max(255).optional(), archived: flag.optional() });
const ofGroup = z.object({ include_subgroups: flag.default(false) });
const limit = 1000;

/** Projects, and the groups that they are in. */
export function projectRoutes(app: FastifyInstance, world: World): void {
  const { projects } = world;
  const show = (project: Project) => projectEntity(project, world.url());
  const reading = needs(world, "read_api");

  app.get("/projects", reading, async (request, reply) => {
    const { search: wanted, archived } = parametersOf(listed, request);
    const { user } = callerOf(world, request);
    const all = projects
      .all()
      .filter((project) => seesProject(world, user, project))
      .filter((project) => archived !== true && (wanted === undefined || project.name.includes(wanted)));
    return page(request, reply, all.toReversed(), world.url(), { keyset: keysetById }).map(show);
  });
  app.get("/projects/:id", reading, async (request) => show(projectOf(world, request)));
  app.post("/projects", needs(world), async (request, reply) => {
    const asked = parametersOf(newProject, request);
    const { user } = callerOf(world, request);
    const namespace = projects.findNamespace(String(asked.namespace_id ?? "root"));
    // What a user may not use is to that user as good as not there.
    if (namespace !== undefined && !makesProjects(world, user, namespace)) throw badRequest({ namespace: ["is not valid"] });
    return reply.code(201).send(show(await addProject(world, asked)));
  });
  app.delete("/projects/:id", needs(world), async (request, reply) => {
    await removeProject(world, projectOf(world, request, roles.owner));
    return reply.code(202).send({ message: "202 Accepted" });
  });

  app.get("/namespaces", reading, async (request, reply) => {
    const { user } = callerOf(world, request);
    const seen = projects.namespaces().filter((namespace) => (namespace.kind === "user" ? user.admin : seesGroup(world, user, namespace)));
    return page(request, reply, seen.toReversed(), world.url()).map((namespace) => namespaceEntity(namespace, world.url()));
  });
  app.get("/groups", reading, async (request, reply) => {
    const { user } = callerOf(world, request);
    const groups = projects.namespaces().filter((namespace) => namespace.kind === "group" && seesGroup(world, user, namespace));
    return page(request, reply, groups.toReversed(), world.url()).map((found) => groupEntity(found, world.url()));
  });
  app.get("/groups/:id", reading, async (request) => groupEntity(groupOf(world, request), world.url()));
  app.get("/groups/:id/subgroups", reading, async (request, reply) => {
    const group = groupOf(world, request);
    const { user } = callerOf(world, request);
    const below = projects.namespaces().filter((one) => one.parentId === group.id && seesGroup(world, user, one));
    return page(request, reply, below.toReversed(), world.url()).map((found) => groupEntity(found, world.url()));
  });
  app.get("/groups/:id/projects", reading, async (request, reply) => {
    const { include_subgroups: deep } = parametersOf(ofGroup, request);
    const { archived } = parametersOf(listed, request);
    const { id } = groupOf(world, request);
    const { user } = callerOf(world, request);
    const inGroup = (project: Project) => (deep ? projects.groupIdsOf(project).includes(id) : project.namespace.id === id);
    const all = projects.all().filter((project) => archived !== true && inGroup(project) && seesProject(world, user, project));
    return page(request, reply, all.toReversed(), world.url(), { keyset: keysetById }).map(show);
  });
  app.post("/groups", needs(world), async (request, reply) => {
    const asked = parametersOf(newGroup, request);
    const { user } = callerOf(world, request);
    const parent = asked.parent_id === undefined ? undefined : projects.findNamespace(String(asked.parent_id));
    if (asked.parent_id !== undefined && (parent?.kind !== "group" || !seesGroup(world, user, parent))) throw notFound("Group");
    if (parent !== undefined && standingInGroup(world, user, parent) < roles.maintainer) throw forbidden();
    const fullPath = parent === undefined ? asked.path : `${parent.fullPath}/${asked.path}`;
    if (!isPath(asked.path)) throw badRequest({ path: ["can contain only letters, digits, '_', '-' and '.'"] });
    if (projects.findNamespace(fullPath) !== undefined) throw badRequest({ path: ["has already been taken"] });
    if (projects.namespaces().length >= limit) throw badRequest("Too many groups");
    const made = projects.addGroup({ name: asked.name, path: asked.path, parentId: parent?.id });
    if (!user.admin) world.members.set({ groupId: made.id }, user.id, roles.owner);
    return reply.code(201).send(groupEntity(made, world.url()));
  });
}
