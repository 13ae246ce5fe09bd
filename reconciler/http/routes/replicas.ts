import type { FastifyInstance } from "fastify";
import { FireRunnerError } from "../../model/errors.js";
import type { Replica } from "../../model/replica.js";

/** `GET /v1/replicas` and one of them: the processes that share the store, as far as they were heard of within 15 s. */
export function registerReplicaRoutes(app: FastifyInstance, { replicas }: { readonly replicas: () => readonly Replica[] }): void {
  app.get("/v1/replicas", () => ({ items: replicas() }));

  app.get<{ Params: { name: string } }>("/v1/replicas/:name", (request) => {
    const { name } = request.params;
    const found = replicas().find((replica) => replica.name === name);
    if (found === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no replica is called ${JSON.stringify(name)}`);
    return found;
  });
}
