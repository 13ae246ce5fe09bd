import { type FastifyInstance, type FastifyReply, fastify } from "fastify";
import { FireRunnerError } from "../../../model/errors.js";
import { gitRoutes } from "../git/routes.js";
import { dialRoutes } from "../rest/dial-routes.js";
import { hookRoutes } from "../rest/hook-routes.js";
import { instanceRoutes } from "../rest/instance-routes.js";
import { jobRoutes } from "../rest/job-routes.js";
import { memberRoutes } from "../rest/member-routes.js";
import { pipelineRoutes } from "../rest/pipeline-routes.js";
import { projectRoutes } from "../rest/project-routes.js";
import { protectedRefRoutes } from "../rest/protected-ref-routes.js";
import { runnerLists } from "../rest/runner-lists.js";
import { runnerRoutes } from "../rest/runner-routes.js";
import { tokenRoutes } from "../rest/token-routes.js";
import { variableRoutes } from "../rest/variable-routes.js";
import { jobRequestRoutes } from "../runner-api/job-request-routes.js";
import { jobUpdateRoutes } from "../runner-api/job-update-routes.js";
import { runnerTokenRoutes } from "../runner-api/runner-token-routes.js";
import type { World } from "../world.js";
import { addFaults } from "./faults.js";
import { addRateLimits } from "./rate-limits.js";
import { Refusal } from "./refusal.js";

/** A log arrives in pieces of at most 1 MiB; nothing else that is parsed comes near that. */
const bodyLimitBytes = 2_097_152;

/** The HTTP server with every way into this GitLab: REST, the runners' protocol, git, and the dials. */
export function createServer(world: World): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: bodyLimitBytes,
    requestTimeout: 1_800_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 1024 },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^application\/json\b/, { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, body === "" ? undefined : JSON.parse(String(body)));
    } catch {
      done(new Refusal(400, { error: "The body is not valid JSON" }));
    }
  });
  app.addContentTypeParser(/^application\/x-www-form-urlencoded\b/, { parseAs: "string" }, (_request, body, done) => {
    done(null, formFields(String(body)));
  });
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, _request, reply) => refuse(error, reply));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: "404 Not Found" }));
  addFaults(app, world);

  void app.register(
    async (api) => {
      addRateLimits(api, world);
      instanceRoutes(api, world);
      tokenRoutes(api, world);
      memberRoutes(api, world);
      projectRoutes(api, world);
      protectedRefRoutes(api, world);
      variableRoutes(api, world);
      pipelineRoutes(api, world);
      jobRoutes(api, world);
      runnerLists(api, world);
      runnerRoutes(api, world);
      hookRoutes(api, world);
      jobRequestRoutes(api, world);
      jobUpdateRoutes(api, world);
      runnerTokenRoutes(api, world);
    },
    { prefix: "/api/v4" },
  );
  void app.register(async (dials) => dialRoutes(dials, world), { prefix: "/-" });
  void app.register(async (git) => gitRoutes(git, world));
  return app;
}

function formFields(text: string): Readonly<Record<string, string | string[]>> {
  const fields = new URLSearchParams(text);
  return Object.fromEntries(
    [...new Set(fields.keys())].map((key) => [key, key.endsWith("[]") ? fields.getAll(key) : (fields.get(key) ?? "")]),
  );
}

function refuse(error: unknown, reply: FastifyReply): FastifyReply {
  if (error instanceof Refusal) return reply.code(error.status).headers(error.headers).send(error.body);
  if (error instanceof FireRunnerError && error.code === "FR-INVALID") return reply.code(400).send({ message: error.message });
  const status = (error as { readonly statusCode?: number }).statusCode;
  if (status !== undefined && status >= 400 && status < 500) return reply.code(status).send({ error: (error as Error).message });
  return reply.code(500).send({ message: "500 Internal Server Error" });
}
