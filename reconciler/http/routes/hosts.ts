import type { FastifyInstance } from "fastify";
import { FireRunnerError } from "../../model/errors.js";
import type { Store } from "../../store/port.js";
import { hostStatuses } from "../host-status.js";
import type { LoopView } from "../loop-view.js";

export interface HostDependencies {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly loop: LoopView;
}

/** `GET /v1/host-statuses` and `GET /v1/hosts/:name/status`: hosts as the service finds them. */
export function registerHostRoutes(app: FastifyInstance, { store, clock, loop }: HostDependencies): void {
  const statuses = (only?: string) => hostStatuses({ store, loop, now: clock.now() }, only);

  app.get("/v1/host-statuses", () => ({ items: statuses() }));

  app.get<{ Params: { name: string } }>("/v1/hosts/:name/status", (request) => {
    const { name } = request.params;
    const [status] = statuses(name);
    if (status === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no host is called ${JSON.stringify(name)}`);
    return status;
  });
}
