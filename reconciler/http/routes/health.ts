import type { FastifyInstance } from "fastify";
import type { Metrics } from "../../telemetry/metrics.js";

/** One thing that the service depends on: `store`, `leader`, `host/<name>`, `connection/<name>`. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Whether the service can take no work at all without it. */
  readonly required: boolean;
  readonly message?: string;
}

/** Where this process stands among those that share its store. */
export interface Standing {
  readonly name: string;
  readonly leading: boolean;
  /** The epoch under which it leads. */
  readonly epoch?: string;
  /** For how long what it knows of the store may be behind, in ms; 0 while the store is within reach. */
  readonly storeLagMs: number;
  /** How many there are, this one included. */
  readonly replicas: number;
}

export interface Readiness {
  readonly replica?: Standing;
  readonly checks: readonly ReadinessCheck[];
}

export interface HealthDependencies {
  readonly metrics: Metrics;
  readonly readiness: () => Promise<Readiness> | Readiness;
}

/** `/health`: the process is alive. `/ready`: it can take work. `/v1/checks`: the same in detail, of the replica that leads. `/metrics`: Prometheus' text format. */
export function registerHealthRoutes(app: FastifyInstance, { metrics, readiness }: HealthDependencies): void {
  app.get("/health", () => ({ status: "ok" }));

  app.get("/ready", async (_request, reply) => {
    const told = await readiness();
    const ready = told.checks.every((check) => check.ok || !check.required);
    return reply.code(ready ? 200 : 503).send({ ready, ...told });
  });

  // What is known of hosts and forges is the leader's, and so it may be asked in this one's place.
  app.get("/v1/checks", async () => readiness());

  app.get("/metrics", async (_request, reply) => reply.header("content-type", metrics.contentType).send(await metrics.read()));
}
