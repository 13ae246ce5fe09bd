import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parametersOf } from "../http/parameters.js";
import { forbidden, notFound, Refusal } from "../http/refusal.js";
import type { Runner } from "../records/runner.js";
import type { World } from "../world.js";
import { sentToken } from "./credentials.js";
import { noSystemId } from "./job-request-routes.js";
import { runnerInfo } from "./runner-info.js";

const asked = z.object({ system_id: z.string().max(64).default(noSystemId), info: runnerInfo });

/** What a runner may do to itself with nothing but its token. */
export function runnerTokenRoutes(app: FastifyInstance, world: World): void {
  const { runners } = world;
  const own = (token: string): Runner => {
    const runner = runners.byToken(token);
    if (runner === undefined) throw forbidden();
    return runner;
  };

  app.post("/runners/verify", async (request, reply) => {
    const { id, token } = own(sentToken(request));
    const { system_id: systemId, info } = parametersOf(asked, request);
    // Only asking for a job makes a runner online.
    runners.seen(id, systemId, info ?? {}, false);
    return reply.code(200).send({ id, token, token_expires_at: null });
  });
  // Registration with a token of the project, group or instance: switched off, as it is since 17.0.
  app.post("/runners", async () => {
    throw new Refusal(410, { message: "410 Gone - runner registration disallowed" });
  });
  app.delete("/runners", async (request, reply) => {
    runners.remove(own(sentToken(request)).id);
    return reply.code(204).send();
  });
  app.delete("/runners/managers", async (request, reply) => {
    const { id } = own(sentToken(request));
    if (!runners.removeManager(id, parametersOf(asked, request).system_id)) throw notFound("Runner manager");
    return reply.code(204).send();
  });
  app.post("/runners/reset_authentication_token", async (request, reply) => {
    const runner = runners.renewToken(own(sentToken(request)).id);
    return reply.code(201).send({ token: runner?.token, token_expires_at: null });
  });
}
