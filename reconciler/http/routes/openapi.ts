import type { FastifyInstance } from "fastify";

/** `GET /openapi.json`: the OpenAPI document of everything that the service answers. It is made when somebody asks first. */
export function registerOpenApiRoute(app: FastifyInstance): void {
  let text: string | undefined;
  app.get("/openapi.json", async (_request, reply) => {
    text ??= JSON.stringify((await import("../openapi/document.js")).openApiDocument());
    return reply.type("application/json; charset=utf-8").send(text);
  });
}
