import type { FastifyInstance } from "fastify";
import { FireRunnerError } from "../../model/errors.js";
import { plan } from "../../plan/plan.js";
import type { Snapshot } from "../../plan/snapshot.js";
import type { LoopView } from "../loop-view.js";
import { planView } from "../plan-view.js";
import { sweepView } from "../sweep-view.js";

export interface PlanDependencies {
  readonly loop: LoopView;
}

/**
 * `GET /v1/plan`: what the loop would decide and do at this moment. `GET /v1/gc`: what of it removes something. Neither does
 * anything. `POST /v1/gc` has every host and forge read now; what is found is removed as always. 503 where nobody leads.
 */
export function registerPlanRoutes(app: FastifyInstance, { loop }: PlanDependencies): void {
  const look = (): Snapshot => {
    const snapshot = loop.look();
    if (snapshot === undefined) throw notLeading();
    return snapshot;
  };

  app.get("/v1/plan", () => {
    const snapshot = look();
    return planView(snapshot, plan(snapshot));
  });

  app.get("/v1/gc", () => {
    const snapshot = look();
    return sweepView(snapshot, plan(snapshot));
  });

  app.post("/v1/gc", (_request, reply) => {
    const { hosts, connections } = look();
    if (!loop.sweepSoon()) throw notLeading();
    return reply.code(202).send({
      hosts: hosts.filter(({ standing }) => standing !== "forgotten").map(({ spec }) => spec.name),
      connections: connections.map(({ spec }) => spec.name),
    });
  });
}

const notLeading = (): FireRunnerError =>
  new FireRunnerError("FR-NOT-LEADER", "this process does not lead (yet): ask the replica that does, or again in a moment", {
    retryable: true,
  });
