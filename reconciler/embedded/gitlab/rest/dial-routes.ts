import type { FastifyInstance } from "fastify";
import { parseOrRefuse } from "../../../model/validation.js";
import { dialsSchema } from "../dials.js";
import { needs } from "../http/access.js";
import type { World } from "../world.js";
import { adminOnly } from "./lookups.js";

/** `/-/dials`: what a real GitLab has no switch for. PUT replaces all of them, and what is left out is as at the start. */
export function dialRoutes(app: FastifyInstance, world: World): void {
  app.get("/dials", needs(world), async (request) => {
    adminOnly(world, request);
    return world.dials();
  });
  app.put("/dials", needs(world), async (request) => {
    adminOnly(world, request);
    world.setDials(parseOrRefuse(dialsSchema, request.body ?? {}, "dials"));
    return world.dials();
  });
}
