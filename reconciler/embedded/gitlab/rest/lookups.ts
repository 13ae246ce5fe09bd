import type { FastifyRequest } from "fastify";
import type { Found } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { callerOf } from "../http/access.js";
import { forbidden, notFound } from "../http/refusal.js";
import type { Role } from "../records/members.js";
import type { Namespace, Project } from "../records/project.js";
import type { Runner } from "../records/runner.js";
import type { World } from "../world.js";
import { seesGroup, seesProject, standingInGroup, standingInProject } from "./abilities.js";

/** A part of the request's path. */
export function pathPart(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? "";
}

/** The number in the request's path; 0, which nothing has as its id, when it is none. */
export const idOf = (request: FastifyRequest, name: string): number => {
  const text = pathPart(request, name);
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
};

/**
 * The project in the path (`:id`), by id or URL-encoded path. 404 when there is none or the caller does not see it, 403
 * when the caller's role in it is less than `least`.
 */
export function projectOf(world: World, request: FastifyRequest, least?: Role): Project {
  const { user } = callerOf(world, request);
  const project = world.projects.find(pathPart(request, "id"));
  if (project === undefined || !seesProject(world, user, project)) throw notFound("Project");
  if (least !== undefined && standingInProject(world, user, project) < least) throw forbidden();
  return project;
}

/** The group in the path (`:id`), like {@link projectOf}. */
export function groupOf(world: World, request: FastifyRequest, least?: Role): Namespace {
  const { user } = callerOf(world, request);
  const group = world.projects.findNamespace(pathPart(request, "id"));
  if (group?.kind !== "group" || !seesGroup(world, user, group)) throw notFound("Group");
  if (least !== undefined && standingInGroup(world, user, group) < least) throw forbidden();
  return group;
}

/** Passes administrators; everybody else gets 403. */
export function adminOnly(world: World, request: FastifyRequest): void {
  if (!callerOf(world, request).user.admin) throw forbidden();
}

/** The job of the project in the path (`:job_id`), or 404. */
export function jobOf(world: World, request: FastifyRequest, project: Project): Found {
  const found = world.engine.job(idOf(request, "job_id"));
  if (found === undefined || found.run.pipeline.projectId !== project.id) throw notFound();
  return found;
}

/** The pipeline of the project in the path (`:pipeline_id`), or 404. */
export function runOf(world: World, request: FastifyRequest, project: Project): Run {
  const run = world.engine.run(idOf(request, "pipeline_id"));
  if (run === undefined || run.pipeline.projectId !== project.id) throw notFound("Pipeline");
  return run;
}

/** The runner with the id in the path, or 404; who may see it is for the caller to ask. */
export function runnerOf(world: World, request: FastifyRequest, name = "id"): Runner {
  const runner = world.runners.find(idOf(request, name));
  if (runner === undefined) throw notFound("Runner");
  return runner;
}
