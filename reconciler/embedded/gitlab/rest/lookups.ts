import type { FastifyRequest } from "fastify";
import type { Found } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { notFound } from "../http/refusal.js";
import type { Project } from "../records/project.js";
import type { Runner } from "../records/runner.js";
import type { World } from "../world.js";

/** A part of the request's path. */
export function pathPart(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? "";
}

const idOf = (request: FastifyRequest, name: string): number => {
  const text = pathPart(request, name);
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
};

/** The project in the path (`:id`), by id or URL-encoded path, or 404. */
export function projectOf(world: World, request: FastifyRequest): Project {
  const project = world.projects.find(pathPart(request, "id"));
  if (project === undefined) throw notFound("Project");
  return project;
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

/** The runner in the path (`:id`), or 404. */
export function runnerOf(world: World, request: FastifyRequest): Runner {
  const runner = world.runners.find(idOf(request, "id"));
  if (runner === undefined) throw notFound("Runner");
  return runner;
}

export const hookIdOf = (request: FastifyRequest): number => idOf(request, "hook_id");
export const eventIdOf = (request: FastifyRequest): number => idOf(request, "event_id");
export const tokenIdOf = (request: FastifyRequest): number => idOf(request, "token_id");
