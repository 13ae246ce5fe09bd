import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { variableEntity } from "../entities/project-entity.js";
import { needs } from "../http/access.js";
import { flag, parametersOf } from "../http/parameters.js";
import { badRequest, notFound } from "../http/refusal.js";
import { roles } from "../records/members.js";
import type { ProjectVariable } from "../records/project.js";
import type { World } from "../world.js";
import { pathPart, projectOf } from "./lookups.js";

const settings = z.object({
  value: z.string().max(10_000),
  masked: flag.default(false),
  raw: flag.default(false),
  protected: flag.default(false),
  variable_type: z.enum(["env_var", "file"]).default("env_var"),
});
const newVariable = settings.extend({ key: z.string().regex(/^[A-Za-z0-9_]{1,255}$/) });
const maxVariables = 1000;

/** The CI variables in a project's settings: the only ones that can be masked. */
export function variableRoutes(app: FastifyInstance, world: World): void {
  const { projects } = world;
  const path = "/projects/:id/variables";
  const find = (projectId: number, key: string): ProjectVariable => {
    const found = projects.variables(projectId).find((variable) => variable.key === key);
    if (found === undefined) throw notFound("Variable");
    return found;
  };

  app.get(path, needs(world), async (request) => projects.variables(projectOf(world, request, roles.maintainer).id).map(variableEntity));
  app.get(`${path}/:key`, needs(world), async (request) =>
    variableEntity(find(projectOf(world, request, roles.maintainer).id, pathPart(request, "key"))),
  );
  app.post(path, needs(world), async (request, reply) => {
    const { id } = projectOf(world, request, roles.maintainer);
    const { key, ...asked } = parametersOf(newVariable, request);
    const existing = projects.variables(id);
    if (existing.some((variable) => variable.key === key)) throw badRequest({ key: [`(${key}) has already been taken`] });
    if (existing.length >= maxVariables) throw badRequest({ base: [`Maximum number of variables (${maxVariables}) exceeded`] });
    const variable = variableOf(key, asked);
    projects.putVariable(id, variable);
    return reply.code(201).send(variableEntity(variable));
  });
  app.put(`${path}/:key`, needs(world), async (request) => {
    const { id } = projectOf(world, request, roles.maintainer);
    const variable = variableOf(find(id, pathPart(request, "key")).key, parametersOf(settings, request));
    projects.putVariable(id, variable);
    return variableEntity(variable);
  });
  app.delete(`${path}/:key`, needs(world), async (request, reply) => {
    const { id } = projectOf(world, request, roles.maintainer);
    projects.removeVariable(id, find(id, pathPart(request, "key")).key);
    return reply.code(204).send();
  });
}

/** A masked value must be one that can be found again in a log: at least 8 characters in one line without blanks. */
function variableOf(key: string, asked: z.output<typeof settings>): ProjectVariable {
  const { value, masked, raw, protected: isProtected, variable_type: type } = asked;
  if (masked && !/^\S{8,}$/.test(value)) throw badRequest({ value: ["is invalid"] });
  return { key, value, masked, raw, protected: isProtected, file: type === "file" };
}
