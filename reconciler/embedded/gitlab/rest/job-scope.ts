import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { JobStatus } from "../engine/run.js";
import { parametersOf } from "../http/parameters.js";
import { badParameter } from "../http/refusal.js";

/** Every status that GitLab takes as a scope, also those that no job of this one ever has. */
const scopes: ReadonlySet<string> = new Set([
  "created",
  "waiting_for_resource",
  "preparing",
  "waiting_for_callback",
  "pending",
  "running",
  "success",
  "failed",
  "canceling",
  "canceled",
  "skipped",
  "manual",
  "scheduled",
]);

const asked = z.object({ scope: z.union([z.string(), z.array(z.string())]).optional() });

/** The statuses that a list of jobs is asked for (`scope[]=pending&scope[]=running`); an unknown one gets 400. */
export function scopeOf(request: FastifyRequest): (status: JobStatus) => boolean {
  const { scope } = parametersOf(asked, request);
  if (scope === undefined) return () => true;
  const wanted = new Set(typeof scope === "string" ? [scope] : scope);
  if (![...wanted].every((status) => scopes.has(status))) throw badParameter("scope does not have a valid value");
  return (status) => wanted.has(status);
}
