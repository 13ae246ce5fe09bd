import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import { type Job, jobStatusSchema } from "../../model/job.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { Store, Stored } from "../../store/port.js";
import { explainJob } from "../explain-job.js";
import type { LoopView } from "../loop-view.js";
import { pageOf, pageQuery } from "../page.js";

/** How jobs are looked for: every filter is a field of the job by the same name. */
export const jobQuery = z.strictObject({
  ...pageQuery,
  pool: z.string().optional(),
  connection: z.string().optional(),
  host: z.string().optional(),
  vm: z.string().optional(),
  status: jobStatusSchema.optional(),
  projectId: z.coerce.number().int().positive().optional(),
  jobId: z.coerce.number().int().positive().optional(),
});

export interface JobDependencies {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly loop: LoopView;
  /** The log of a job as its forge has it now; undefined when it has none. */
  readonly jobLog: (connection: Connection, projectId: number, jobId: number) => Promise<string | undefined>;
}

interface JobAddress {
  readonly Params: { readonly connection: string; readonly projectId: string; readonly jobId: string };
}

/** Reads of jobs as the forge told them last, why they wait or where they ran, and their logs as the forge has them now. */
export function registerJobRoutes(app: FastifyInstance, { store, clock, loop, jobLog }: JobDependencies): void {
  app.get("/v1/jobs", (request) => {
    const { limit, after, ...filter } = parseOrRefuse(jobQuery, request.query, "query");
    const wanted = Object.entries(filter) as readonly (readonly [keyof Job, unknown])[];
    return pageOf(
      store.list("job"),
      { limit, after },
      ({ value }) => wanted.every(([field, expected]) => expected === undefined || value[field] === expected),
      ({ key, value }) => ({ key, ...value }),
    );
  });

  app.get<JobAddress>("/v1/jobs/:connection/:projectId/:jobId", (request) => {
    const { key, value } = known(store, request.params);
    return { key, ...value };
  });

  app.get<JobAddress>("/v1/jobs/:connection/:projectId/:jobId/explain", (request) =>
    explainJob({ store, loop, now: clock.now() }, known(store, request.params).value),
  );

  // Only jobs that are known here: the connection's token reaches further than those who may read its jobs.
  app.get<JobAddress>("/v1/jobs/:connection/:projectId/:jobId/log", async (request, reply) => {
    const { key, value: job } = known(store, request.params);
    const connection = store.get("connection", job.connection)?.value.spec;
    if (connection === undefined) throw new FireRunnerError("FR-NOT-FOUND", `connection "${job.connection}" is no longer declared`);
    const log = await jobLog(connection, job.projectId, job.jobId);
    if (log === undefined) throw new FireRunnerError("FR-NOT-FOUND", `the forge has no log of job ${JSON.stringify(key)}`);
    return reply.type("text/plain; charset=utf-8").header("x-content-type-options", "nosniff").send(log);
  });
}

function known(store: Store, { connection, projectId, jobId }: JobAddress["Params"]): Stored<"job"> {
  const key = `${connection}/${projectId}/${jobId}`;
  const stored = store.get("job", key);
  if (stored === undefined) throw new FireRunnerError("FR-NOT-FOUND", `job ${JSON.stringify(key)} is not known here`);
  return stored;
}
