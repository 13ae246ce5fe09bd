import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Found } from "../engine/engine.js";
import { isFinished } from "../engine/run.js";
import { canPlay, canRetry } from "../engine/transitions.js";
import { jobEntity } from "../entities/job-entity.js";
import { callerOf, needs } from "../http/access.js";
import { keysetByCursor, page } from "../http/paging.js";
import { flag, parametersOf } from "../http/parameters.js";
import { badRequest, forbidden } from "../http/refusal.js";
import { type Role, roles } from "../records/members.js";
import type { Project } from "../records/project.js";
import { shown, type World } from "../world.js";
import { standingInProject } from "./abilities.js";
import { scopeOf } from "./job-scope.js";
import { jobOf, projectOf } from "./lookups.js";

const cancelling = z.object({ force: flag.default(false) });

/** The jobs of a project. Whoever sees the project sees them (GitLab's project-based pipeline visibility, on by default). */
export function jobRoutes(app: FastifyInstance, world: World): void {
  const { engine } = world;
  const show = (found: Found, project: Project) => jobEntity(shown(world, found, project));
  const path = "/projects/:id/jobs/:job_id";
  const asked = (request: FastifyRequest, least?: Role) => {
    const project = projectOf(world, request, least);
    return { project, found: jobOf(world, request, project) };
  };

  app.get("/projects/:id/jobs", needs(world, "read_api"), async (request, reply) => {
    const project = projectOf(world, request);
    const inScope = scopeOf(request);
    const jobs = engine
      .runsOf(project.id)
      .flatMap((run) => run.jobs.filter((job) => inScope(job.status)).map((job) => ({ id: job.id, run, job })))
      .sort((a, b) => b.id - a.id);
    const paging = { keyset: keysetByCursor, uncounted: true };
    return page(request, reply, jobs, world.url(), paging).map((found) => show(found, project));
  });
  app.get(path, needs(world, "read_api"), async (request) => {
    const { project, found } = asked(request);
    return show(found, project);
  });
  app.get(`${path}/trace`, needs(world, "read_api"), async (request, reply) => {
    const { found } = asked(request);
    return reply.header("content-type", "text/plain; charset=utf-8").send(await world.logs.read(found.job.id));
  });
  app.post(`${path}/cancel`, needs(world), async (request, reply) => {
    const { project, found } = asked(request, roles.developer);
    const { force } = parametersOf(cancelling, request);
    if (force && standingInProject(world, callerOf(world, request).user, project) < roles.maintainer) throw forbidden();
    // GitLab forces only what is being cancelled already, and answers with a job that is over as it is.
    if (!isFinished(found.job.status)) engine.cancelJob(found.job.id, force && found.job.status === "canceling");
    return reply.code(201).send(show(jobOf(world, request, project), project));
  });
  app.post(`${path}/retry`, needs(world), async (request, reply) => {
    const { project, found } = asked(request, roles.developer);
    if (!canRetry(found.job)) throw forbidden("Job is not retryable");
    const again = engine.job(engine.retryJob(found.job.id)?.id ?? 0);
    return reply.code(201).send(show(again ?? found, project));
  });
  app.post(`${path}/play`, needs(world), async (request) => {
    const { project, found } = asked(request, roles.developer);
    if (!canPlay(found.job)) throw badRequest("400 Bad request - Unplayable Job");
    // Uncertain: that a manual job which has ended is answered with the new one.
    if (isFinished(found.job.status)) return show(engine.job(engine.retryJob(found.job.id)?.id ?? 0) ?? found, project);
    engine.play(found.job.id);
    return show(jobOf(world, request, project), project);
  });
  app.post(`${path}/erase`, needs(world), async (request, reply) => {
    const { project, found } = asked(request, roles.maintainer);
    if (!isFinished(found.job.status)) throw forbidden("Job is not erasable!");
    world.logs.remove([found.job.id]);
    return reply.code(201).send(show(found, project));
  });
}
