import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Found } from "../engine/engine.js";
import { parametersOf } from "../http/parameters.js";
import { forbidden } from "../http/refusal.js";
import type { Runner } from "../records/runner.js";
import { shown, version, type World } from "../world.js";
import { sentToken } from "./credentials.js";
import { handedJob } from "./job-payload.js";
import { runnerInfo } from "./runner-info.js";
import { takeJob } from "./take-job.js";

const asked = z.object({
  system_id: z.string().max(64).optional(),
  last_update: z.string().max(255).optional(),
  info: runnerInfo,
});

/** What a runner without a system id is called. */
export const noSystemId = "<legacy>";

/**
 * `POST /jobs/request`: 201 with a job, 204 without one. A runner that echoes the last `X-GitLab-Last-Update` is not
 * looked at again before something has changed; when long polling is on, the answer waits for that.
 */
export function jobRequestRoutes(app: FastifyInstance, world: World): void {
  const { runners, queue, clock, projects } = world;

  function known(token: string): Runner {
    const runner = runners.byToken(token);
    if (runner === undefined) throw forbidden();
    return runner;
  }

  app.post("/jobs/request", async (request, reply) => {
    const token = sentToken(request);
    const { id } = known(token);
    const body = parametersOf(asked, request);
    const systemId = body.system_id ?? noSystemId;
    const graceful = body.info?.features?.cancel_gracefully === true;
    // GitLab notes the contact before it looks whether the runner is paused.
    runners.seen(id, systemId, body.info ?? {}, true);

    const gone = goneSignal(request, reply, world.stopping);
    const deadline = clock.now() + world.dials().longPollMs;
    let looked = body.last_update;
    for (;;) {
      const runner = known(token);
      const revision = queue.revision();
      if (!runner.paused && revision !== looked && !gone.aborted) {
        const found = takeJob(world, runner, systemId, graceful);
        if (found !== undefined) return hand(reply, found, revision);
      }
      looked = revision;
      const leftMs = deadline - clock.now();
      if (runner.paused || leftMs <= 0 || gone.aborted) return reply.code(204).header("x-gitlab-last-update", revision).send();
      await queue.wait(leftMs, gone);
    }
  });

  function hand(reply: FastifyReply, found: Found, revision: string): FastifyReply {
    const project = projects.find(String(found.run.pipeline.projectId));
    if (project === undefined) throw forbidden();
    const job = handedJob(shown(world, found, project), projects.variables(project.id), version);
    // The revision from before the job was taken: the runner's next request will look again.
    return reply.code(201).header("x-gitlab-last-update", revision).send(job);
  }
}

/** Aborted when whoever asked went away, or this GitLab stops: then no job may be handed out any more. */
function goneSignal(request: FastifyRequest, reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const abort = () => gone.abort();
  if (request.raw.socket.destroyed || stopping.aborted) abort();
  stopping.addEventListener("abort", abort, { once: true });
  reply.raw.once("close", () => {
    stopping.removeEventListener("abort", abort);
    abort();
  });
  return gone.signal;
}
