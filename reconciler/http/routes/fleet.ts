import type { FastifyInstance } from "fastify";
import { fleetSchema } from "../../model/fleet.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { Declarations } from "../declarations.js";

export interface FleetDependencies {
  readonly declarations: Declarations;
}

/** `PUT /v1/fleet`: a whole fleet file, all of it or nothing. Records that it does not name stay as they are. */
export function registerFleetRoutes(app: FastifyInstance, { declarations }: FleetDependencies): void {
  app.put("/v1/fleet", async (request) => ({ results: await declarations.apply(parseOrRefuse(fleetSchema, request.body, "fleet")) }));
}
