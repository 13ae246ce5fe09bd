import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { groupEntity, namespaceEntity, projectEntity } from "../entities/project-entity.js";
import { needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { parametersOf, wholeNumber } from "../http/parameters.js";
import { badParameter, badRequest, notFound } from "../http/refusal.js";
import type { Namespace, Project } from "../records/project.js";
import { isPath, pathPattern } from "../records/projects.js";
import type { World } from "../world.js";
import { pathPart, projectOf } from "./lookups.js";

const newProject = z.object({
  name: z.string().min(1).max(255).optional(),
  path: z.string().min(1).max(255).optional(),
  namespace_id: wholeNumber.optional(),
  description: z.string().max(2000).default(""),
  visibility: z.enum(["private", "internal", "public"]).default("private"),
});
const newGroup = z.object({ name: z.string().min(1).max(255), path: z.string().min(1).max(255), parent_id: wholeNumber.optional() });
const search = z.object({ search: z.string().max(255).optional() });
const limit = 1000;

/** Projects, and the groups that they are in. */
export function projectRoutes(app: FastifyInstance, world: World): void {
  const { projects } = world;
  const show = (project: Project) => projectEntity(project, world.url());
  const group = (idOrPath: string): Namespace => {
    const found = projects.findNamespace(idOrPath);
    if (found?.kind !== "group") throw notFound("Group");
    return found;
  };

  app.get("/projects", needs(world, "read_api"), async (request, reply) => {
    const { search: wanted } = parametersOf(search, request);
    const all = projects.all().filter((project) => wanted === undefined || project.name.includes(wanted));
    return page(request, reply, all.toReversed(), world.url(), "id").map(show);
  });
  app.get("/projects/:id", needs(world, "read_api"), async (request) => show(projectOf(world, request)));
  app.post("/projects", needs(world), async (request, reply) =>
    reply.code(201).send(show(await addProject(world, parametersOf(newProject, request)))),
  );
  app.delete("/projects/:id", needs(world), async (request, reply) => {
    const project = projectOf(world, request);
    for (const run of world.engine.runsOf(project.id)) world.engine.cancelPipeline(run.pipeline.id);
    world.hooks.removeProject(project.id);
    projects.remove(project.id);
    await world.repositories.remove(project.id);
    return reply.code(202).send({ message: "202 Accepted" });
  });

  app.get("/namespaces", needs(world, "read_api"), async (request, reply) =>
    page(request, reply, projects.namespaces().toReversed(), world.url()).map((namespace) => namespaceEntity(namespace, world.url())),
  );
  app.get("/groups", needs(world, "read_api"), async (request, reply) => {
    const groups = projects.namespaces().filter((namespace) => namespace.kind === "group");
    return page(request, reply, groups.toReversed(), world.url()).map((found) => groupEntity(found, world.url()));
  });
  app.get("/groups/:id", needs(world, "read_api"), async (request) => groupEntity(group(pathPart(request, "id")), world.url()));
  app.get("/groups/:id/projects", needs(world, "read_api"), async (request, reply) => {
    const { include_subgroups: deep } = parametersOf(z.object({ include_subgroups: z.coerce.string().optional() }), request);
    const { id } = group(pathPart(request, "id"));
    const inGroup = (project: Project) => (deep === "true" ? projects.groupIdsOf(project).includes(id) : project.namespace.id === id);
    return page(request, reply, projects.all().filter(inGroup).toReversed(), world.url(), "id").map(show);
  });
  app.post("/groups", needs(world), async (request, reply) => {
    const asked = parametersOf(newGroup, request);
    const parent = asked.parent_id === undefined ? undefined : group(String(asked.parent_id));
    const fullPath = parent === undefined ? asked.path : `${parent.fullPath}/${asked.path}`;
    if (!isPath(asked.path)) throw badRequest({ path: ["can contain only letters, digits, '_', '-' and '.'"] });
    if (projects.findNamespace(fullPath) !== undefined) throw badRequest({ path: ["has already been taken"] });
    if (projects.namespaces().length >= limit) throw badRequest("Too many groups");
    const made = projects.addGroup({ name: asked.name, path: asked.path, parentId: parent?.id });
    return reply.code(201).send(groupEntity(made, world.url()));
  });
}

/** Makes a project with an empty repository. Throws GitLab's refusals. */
export async function addProject(world: World, asked: z.output<typeof newProject>): Promise<Project> {
  const { projects } = world;
  const name = asked.name ?? asked.path;
  if (name === undefined) throw badParameter("name, path are missing, at least one parameter must be provided");
  const path = asked.path ?? name.toLowerCase().replace(/[^a-z0-9_.-]+/g, "-");
  if (!isPath(path)) throw badRequest({ path: [`can contain only letters, digits, '_', '-' and '.' (${pathPattern.source})`] });
  const namespace = projects.findNamespace(String(asked.namespace_id ?? "root"));
  if (namespace === undefined) throw badRequest({ namespace: ["is not valid"] });
  if (projects.find(`${namespace.fullPath}/${path}`) !== undefined) throw badRequest({ path: ["has already been taken"] });
  if (projects.all().length >= limit) throw badRequest({ limit_reached: [`Your limit of ${limit} projects is reached`] });
  const project = projects.add({ name, path, namespace, description: asked.description, visibility: asked.visibility });
  await world.repositories.create(project.id);
  return project;
}
