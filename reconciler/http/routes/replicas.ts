import type { FastifyInstance } from "fastify";
import { FireRunnerError } from "../../model/errors.js";

/** A process on the store, as the admin API shows it. */
export interface ShownReplica {
  readonly name: string;
  /** Whether it is the one that answers. */
  readonly isThis: boolean;
  readonly adminUrl: string;
  readonly version: string;
  readonly startedAt: number;
  /** The epoch under which it leads; left out where it stands by. */
  readonly epoch?: string;
  readonly revision: number;
  /** How many revisions of the store it has yet to see. */
  readonly behind: number;
  readonly toldAt: number;
}

/** `GET /v1/replicas` and one of them: the processes that share the store, as far as they were heard of within 15 s. */
export function registerReplicaRoutes(app: FastifyInstance, { replicas }: { readonly replicas: () => readonly ShownReplica[] }): void {
  app.get("/v1/replicas", () => ({ items: replicas() }));

  app.get<{ Params: { name: string } }>("/v1/replicas/:name", (request) => {
    const { name } = request.params;
    const found = replicas().find((replica) => replica.name === name);
    if (found === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no replica is called ${JSON.stringify(name)}`);
    return found;
  });
}
