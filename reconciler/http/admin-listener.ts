import type { FastifyInstance } from "fastify";
import type { Clock } from "../model/clock.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import type { Replica } from "../model/replica.js";
import type { Listener } from "../model/service.js";
import type { Store } from "../store/port.js";
import type { Logger } from "../telemetry/logger.js";
import type { Metrics } from "../telemetry/metrics.js";
import type { BoundListener } from "./bound-listener.js";
import type { Declarations } from "./declarations.js";
import type { LeaderRelay } from "./leader-relay.js";
import { type RunningListener, startListener } from "./listener.js";
import type { LoopView } from "./loop-view.js";
import { createOperations } from "./operations.js";
import { registerBackupRoutes } from "./routes/backup.js";
import { registerConnectionRoutes } from "./routes/connections.js";
import { registerDeadLetterRoutes } from "./routes/dead-letters.js";
import { registerDeclaredRoutes } from "./routes/declared.js";
import { registerEventRoutes } from "./routes/events.js";
import { registerFleetRoutes } from "./routes/fleet.js";
import { type Readiness, registerHealthRoutes } from "./routes/health.js";
import { registerHostRoutes } from "./routes/hosts.js";
import { registerJobRoutes } from "./routes/jobs.js";
import { registerMicrovmRoutes } from "./routes/microvms.js";
import { registerOpenApiRoute } from "./routes/openapi.js";
import { registerOperationRoutes } from "./routes/operations.js";
import { registerPlanRoutes } from "./routes/plan.js";
import { registerReplicaRoutes } from "./routes/replicas.js";
import { sameSecret } from "./same-secret.js";

export interface AdminListenerOptions {
  readonly listener: Listener;
  /** Its address, where it is taken already. */
  readonly bound?: BoundListener;
  readonly store: Store;
  readonly declarations: Declarations;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The bearer token without which nothing but `/health` and `/openapi.json` answers. */
  readonly token: string;
  readonly loop: LoopView;
  /** How forges reach the public listener, where the service file says it. */
  readonly publicUrl?: string | undefined;
  readonly readiness: () => Promise<Readiness> | Readiness;
  /** The log of a job as its forge has it now; undefined when it has none. */
  readonly jobLog: (connection: Connection, projectId: number, jobId: number) => Promise<string | undefined>;
  /** The processes on this store, this one included. */
  readonly replicas: () => readonly Replica[];
  /** The way to the one that leads; nobody is asked in this one's place when left out. */
  readonly relay?: LeaderRelay;
  /** Writes a copy of the store into a new file and tells its path; undefined where the store is not in a file of its own. */
  readonly copyStore?: (() => string) | undefined;
  readonly tlsIntervalMs?: number;
  readonly stopTimeoutMs?: number;
}

const openPaths: ReadonlySet<string> = new Set(["/health", "/openapi.json"]);

/** The admin API: everything that people and their tools may see and change. */
export function startAdminListener(options: AdminListenerOptions): Promise<RunningListener> {
  return startListener({
    ...options,
    name: "admin",
    bodyLimitBytes: 8 * 1_048_576,
    register(app) {
      requireToken(app, options);
      options.relay?.register(app);
      registerHealthRoutes(app, options);
      registerOpenApiRoute(app);
      registerDeclaredRoutes(app, options);
      registerFleetRoutes(app, options);
      registerOperationRoutes(app, { ...options, operations: createOperations(options) });
      registerHostRoutes(app, options);
      registerConnectionRoutes(app, options);
      registerMicrovmRoutes(app, options);
      registerJobRoutes(app, options);
      registerEventRoutes(app, options);
      registerDeadLetterRoutes(app, options);
      registerBackupRoutes(app, options);
      registerPlanRoutes(app, options);
      registerReplicaRoutes(app, options);
    },
  });
}

function requireToken(app: FastifyInstance, { token, relay }: Pick<AdminListenerOptions, "token" | "relay">): void {
  app.addHook("onRequest", async (request, reply) => {
    if (openPaths.has(request.routeOptions.url ?? "")) return;
    const [, given] = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (given !== undefined && sameSecret(given, token)) return;
    if (given === undefined && relay?.isRelayed(request) === true) return;
    reply.header("www-authenticate", "Bearer");
    throw new FireRunnerError(
      "FR-UNAUTHORIZED",
      given === undefined
        ? "the admin API needs its token: send the header Authorization: Bearer TOKEN"
        : "the token is not the one of this admin API",
    );
  });
}
