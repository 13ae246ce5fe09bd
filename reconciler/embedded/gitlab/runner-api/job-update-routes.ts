import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { failureReasonOf } from "../engine/failure-reasons.js";
import type { Job } from "../engine/run.js";
import { parametersOf } from "../http/parameters.js";
import { badParameter, Refusal } from "../http/refusal.js";
import type { World } from "../world.js";
import { ownJob } from "./credentials.js";

const update = z.object({
  state: z.string(),
  failure_reason: z.string().max(255).optional(),
  exit_code: z.number().int().optional().catch(undefined),
  output: z.object({ checksum: z.string().optional(), bytesize: z.number().int().optional() }).optional().catch(undefined),
});

/** How often a runner is asked to send its whole log again before the log is taken as it is. */
const maxRefusals = 2;

/** What a runner reports of its job: the log in pieces, and how the job stands. */
export function jobUpdateRoutes(app: FastifyInstance, world: World): void {
  const { engine, logs, runners } = world;
  const refused = new Map<number, number>();
  engine.onForgotten((jobIds) => {
    for (const jobId of jobIds) refused.delete(jobId);
  });

  /** The job's runner is online by this too. */
  function heard({ id, assignment }: Job): void {
    engine.heard(id);
    if (assignment !== undefined) runners.heard(assignment.runnerId, assignment.systemId);
  }

  const withInterval = (reply: FastifyReply) => reply.header("x-gitlab-trace-update-interval", String(world.dials().traceIntervalS));

  app.patch("/jobs/:job_id/trace", async (request, reply) => {
    const { job } = ownJob(world, request, reply);
    const start = /^(\d{1,12})-\d{1,12}$/.exec(request.headers["content-range"] ?? "")?.[1];
    if (start === undefined) throw badParameter("400 Missing header Content-Range");
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const { outcome, size } = logs.append(job.id, Number(start), bytes);
    if (outcome === "too-large") {
      engine.finish(job.id, { result: "failed", reason: "trace_size_exceeded", exitCode: undefined });
      throw new Refusal(403, { message: "403 Forbidden" }, { "job-status": "failed" });
    }
    if (outcome === "misplaced") throw new Refusal(416, { error: "416 Range Not Satisfiable" }, { range: `0-${size}` });
    heard(job);
    return withInterval(reply).code(202).header("range", `0-${size}`).header("content-type", "text/plain").send(`0-${size}`);
  });

  app.put("/jobs/:job_id", async (request, reply) => {
    const { job } = ownJob(world, request, reply);
    const { state, failure_reason: reason, exit_code: exitCode, output } = parametersOf(update, request);
    void withInterval(reply).header("content-type", "application/json");
    if (state === "running") {
      heard(job);
      return reply.code(200).send("200");
    }
    if (state !== "success" && state !== "failed") throw badParameter("state does not have a valid value");
    if (mustSendAgain(job, output)) {
      logs.reset(job.id);
      heard(job);
      return reply.code(412).send("412");
    }
    engine.finish(job.id, state === "success" ? { result: "success" } : { result: "failed", reason: failureReasonOf(reason), exitCode });
    return reply.code(200).send("200");
  });

  /** Whether the log that arrived is another one than the runner wrote. */
  function mustSendAgain(job: Job, output: z.output<typeof update>["output"]): boolean {
    const { checksum, bytesize } = output ?? {};
    const whole =
      (bytesize === undefined || bytesize === logs.size(job.id)) && (checksum === undefined || checksum === logs.checksum(job.id));
    const before = refused.get(job.id) ?? 0;
    if (whole || before >= maxRefusals) return false;
    refused.set(job.id, before + 1);
    return true;
  }
}
