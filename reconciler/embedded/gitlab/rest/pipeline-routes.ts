import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Run } from "../engine/run.js";
import { latestJobs } from "../engine/run.js";
import { jobEntity } from "../entities/job-entity.js";
import { pipelineDetails, pipelineEntity } from "../entities/pipeline-entity.js";
import { noCommit } from "../git/repositories.js";
import { needs } from "../http/access.js";
import { keysetById, page } from "../http/paging.js";
import { flag, parametersOf } from "../http/parameters.js";
import { badRequest } from "../http/refusal.js";
import { makePipeline } from "../make-pipeline.js";
import { roles } from "../records/members.js";
import { shown, type World } from "../world.js";
import { scopeOf } from "./job-scope.js";
import { projectOf, runOf } from "./lookups.js";

const newPipeline = z.object({
  ref: z.string().min(1).max(255),
  variables: z
    .array(z.object({ key: z.string().regex(/^[A-Za-z0-9_]{1,255}$/), value: z.string().max(10_000) }))
    .max(1000)
    .default([]),
});
const listed = z.object({ status: z.string().optional(), ref: z.string().optional(), sha: z.string().optional() });
const jobList = z.object({ include_retried: flag.default(false) });

/** Pipelines: made of a ref's CI file, listed, cancelled and repeated. */
export function pipelineRoutes(app: FastifyInstance, world: World): void {
  const { engine } = world;

  app.post("/projects/:id/pipeline", needs(world), async (request, reply) => {
    const project = projectOf(world, request, roles.developer);
    const asked = parametersOf(newPipeline, request);
    const refs = await world.repositories.refs(project.id);
    const ref = [asked.ref, `refs/heads/${asked.ref}`, `refs/tags/${asked.ref}`].find((name) => refs.has(name));
    const sha = refs.get(ref ?? "");
    if (ref === undefined || sha === undefined) throw badRequest({ base: ["Reference not found"] });
    const { variables } = asked;
    const made = await makePipeline(world, { project, ref, sha, beforeSha: noCommit, source: "api", variables });
    if (made.outcome === "made") {
      const { yamlErrors } = made.run.pipeline;
      if (yamlErrors !== undefined) throw badRequest({ base: [yamlErrors] });
      return reply.code(201).send(pipelineDetails(made.run, project, world.url()));
    }
    throw badRequest({ base: [made.outcome === "full" ? "Too many pipelines have not ended" : "Missing CI config file"] });
  });

  app.get("/projects/:id/pipelines", needs(world, "read_api"), async (request, reply) => {
    const project = projectOf(world, request);
    const { status, ref, sha } = parametersOf(listed, request);
    const runs = engine
      .runsOf(project.id)
      .filter(({ pipeline }) => status === undefined || pipeline.status === status)
      .filter(({ pipeline }) => ref === undefined || pipeline.ref === ref)
      .filter(({ pipeline }) => sha === undefined || pipeline.commit.sha === sha)
      .map((run) => ({ id: run.pipeline.id, run }));
    return page(request, reply, runs, world.url(), { keyset: keysetById }).map(({ run }) => pipelineEntity(run, project, world.url()));
  });
  app.get("/projects/:id/pipelines/:pipeline_id", needs(world, "read_api"), async (request) => {
    const project = projectOf(world, request);
    return pipelineDetails(runOf(world, request, project), project, world.url());
  });
  app.get("/projects/:id/pipelines/:pipeline_id/jobs", needs(world, "read_api"), async (request, reply) => {
    const project = projectOf(world, request);
    const run = runOf(world, request, project);
    const { include_retried: retried } = parametersOf(jobList, request);
    const inScope = scopeOf(request);
    const jobs = (retried ? run.jobs : latestJobs(run)).filter((job) => inScope(job.status));
    // GitLab passes over pagination=keyset here. Uncertain: that the newest come first.
    return page(request, reply, jobs.toReversed(), world.url()).map((job) => jobEntity(shown(world, { run, job }, project)));
  });
  app.post("/projects/:id/pipelines/:pipeline_id/cancel", needs(world), async (request) => {
    const project = projectOf(world, request, roles.developer);
    const { pipeline } = runOf(world, request, project);
    engine.cancelPipeline(pipeline.id);
    return pipelineDetails(runOf(world, request, project), project, world.url());
  });
  app.post("/projects/:id/pipelines/:pipeline_id/retry", needs(world), async (request, reply) => {
    const project = projectOf(world, request, roles.developer);
    const run: Run = runOf(world, request, project);
    engine.retryPipeline(run.pipeline.id);
    return reply.code(201).send(pipelineDetails(runOf(world, request, project), project, world.url()));
  });
}
