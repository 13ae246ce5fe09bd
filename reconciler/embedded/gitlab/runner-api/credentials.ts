import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Found } from "../engine/engine.js";
import { isRunning } from "../engine/run.js";
import { forbidden, notFound, Refusal } from "../http/refusal.js";
import type { World } from "../world.js";

/** The token that a runner sends: in the body, or in the headers of its version. */
export function sentToken(request: FastifyRequest): string {
  const { body, query, headers } = request;
  const given = [
    (body as { readonly token?: unknown } | null | undefined)?.token,
    (query as { readonly token?: unknown }).token,
    headers["job-token"],
    headers["runner-token"],
    headers["private-token"],
  ];
  return given.find((token): token is string => typeof token === "string" && token !== "") ?? "";
}

/**
 * The job in the path (`:job_id`) whose own token was sent and that still runs. Otherwise GitLab's refusals: 404
 * unknown job, 403 wrong token or a job that does not run (any more), whose status is told in `Job-Status`.
 */
export function ownJob(world: World, request: FastifyRequest, reply: FastifyReply): Found {
  const text = (request.params as { readonly job_id?: string }).job_id ?? "";
  const found = /^\d{1,15}$/.test(text) ? world.engine.job(Number(text)) : undefined;
  if (found === undefined) throw notFound();
  if (!same(sentToken(request), found.job.token)) throw forbidden();
  if (world.projects.find(String(found.run.pipeline.projectId)) === undefined) throw forbidden("Project has been deleted!");
  void reply.header("job-status", found.job.status);
  if (!isRunning(found.job.status)) {
    throw new Refusal(403, { message: "403 Forbidden - Job is not processing on runner" }, { "job-status": found.job.status });
  }
  return found;
}

const digest = (text: string) => createHash("sha256").update(text).digest();
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
