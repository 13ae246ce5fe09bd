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

export interface Readiness {
  readonly checks: readonly ReadinessCheck[];
}

export interface HealthDependencies {
  readonly metrics: Metrics;
  readonly readiness: () => Promise<Readiness> | Readiness;
}

/** `/health`: the process is alive. `/ready`: it can take work. `/metrics`: Prometheus' text format. */
export function registerHealthRoutes(app: FastifyInstance, { metrics, readiness }: HealthDependencies): void {
  app.get("/health", () => ({ status: "ok" }));

  app.get("/ready", async (_request, reply) => {
    const { checks } = await readiness();
    const ready = checks.every((check) => check.ok || !check.required);
    return reply.code(ready ? 200 : 503).send({ ready, checks });
  });

  app.get("/metrics", async (_request, reply) => reply.header("content-type", metrics.contentType).send(await metrics.read()));
}
