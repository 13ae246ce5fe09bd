import { z } from "zod";
import { tellSystemHooks } from "../hooks/system-events.js";
import { wholeNumber } from "../http/parameters.js";
import { badParameter, badRequest } from "../http/refusal.js";
import type { Project } from "../records/project.js";
import { isPath, pathPattern } from "../records/projects.js";
import type { World } from "../world.js";

/** `POST /projects` */
export const newProject = z.object({
  name: z.string().min(1).max(255).optional(),
  path: z.string().min(1).max(255).optional(),
  namespace_id: wholeNumber.optional(),
  description: z.string().max(2000).default(""),
  visibility: z.enum(["private", "internal", "public"]).default("private"),
});

const limit = 1000;

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
  tellSystemHooks(world, "project_create", project);
  return project;
}

/** Ends a project with all that is its own: from then on everything below it is not found, and its tokens are void. */
export async function removeProject(world: World, project: Project): Promise<void> {
  const { engine, hooks, tokens, members, users, protectedRefs, projects, repositories } = world;
  for (const run of engine.runsOf(project.id)) engine.cancelPipeline(run.pipeline.id);
  hooks.removeAll({ projectId: project.id });
  for (const { id, of, userId } of tokens.all()) {
    if (of === undefined || !("projectId" in of) || of.projectId !== project.id) continue;
    tokens.revoke(id);
    users.remove(userId);
  }
  members.removeAll({ projectId: project.id });
  protectedRefs.removeProject(project.id);
  projects.remove(project.id);
  await repositories.remove(project.id);
  tellSystemHooks(world, "project_destroy", project);
}
