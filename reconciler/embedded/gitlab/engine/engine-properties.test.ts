import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JobDefinition } from "../ci-file/definition.js";
import { advance } from "./advance.js";
import { aJob, createTestEngine } from "./engine.fixture.js";
import { isFinished, latestJobs, type Run } from "./run.js";

const stages = ["build", "test", "deploy"] as const;

/** Pipelines as files can ask for them: a job needs only jobs that come before it. */
const jobsArbitrary: fc.Arbitrary<readonly JobDefinition[]> = fc
  .array(
    fc.record({
      stage: fc.nat(2),
      needs: fc.option(fc.array(fc.nat(9), { maxLength: 3 }), { nil: undefined }),
      when: fc.constantFrom<JobDefinition["when"]>("on_success", "on_success", "on_failure", "always", "manual"),
      allowFailure: fc.constantFrom<JobDefinition["allowFailure"]>(false, true, { exitCodes: [2] }),
      max: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((drawn) => {
    const sorted = drawn.toSorted((a, b) => a.stage - b.stage);
    return sorted.map(({ stage, needs, when, allowFailure, max }, index) =>
      aJob(`job-${index}`, {
        stage: stages[stage] ?? "build",
        needs: needs?.filter((need) => need < index).map((need) => ({ job: `job-${need}`, optional: false })),
        when,
        allowFailure,
        retry: { max, when: [] },
      }),
    );
  });

const stepArbitrary = fc.record({
  what: fc.constantFrom("succeed", "succeed", "fail", "fail", "cancel", "force", "play", "retry"),
  which: fc.nat(30),
  graceful: fc.boolean(),
  exitCode: fc.nat(3),
});
type Step = { what: string; which: number; graceful: boolean; exitCode: number };

/** Does something to a job for which it makes sense, if there is one. */
function act({ engine }: ReturnType<typeof createTestEngine>, pipelineId: number, step: Step): void {
  const run = engine.run(pipelineId);
  if (run === undefined) return;
  const job = run.jobs[step.which % run.jobs.length];
  if (job === undefined) return;
  if (step.what === "cancel" || step.what === "force") engine.cancelJob(job.id, step.what === "force");
  else if (step.what === "play") engine.play(job.id);
  else if (step.what === "retry" && run.jobs.length < 40) engine.retryJob(job.id);
  else if (step.what === "succeed" || step.what === "fail") {
    if (job.status === "pending") engine.assign(job.id, { runnerId: 1, systemId: "s", gracefulCancel: step.graceful }, 60);
    if (engine.job(job.id)?.job.assignment === undefined) return;
    const { exitCode } = step;
    engine.finish(job.id, step.what === "succeed" ? { result: "success" } : { result: "failed", reason: "script_failure", exitCode });
  }
}

/** Nothing runs before what it needs has ended; a job that was played or repeated by hand has its own reasons. */
function expectNeedsHonoured(run: Run): void {
  for (const job of latestJobs(run)) {
    if (job.released || job.definition.needs === undefined || ["created", "skipped", "canceled"].includes(job.status)) continue;
    for (const { job: name } of job.definition.needs) {
      const attempts = run.jobs.filter((other) => other.definition.name === name);
      expect(attempts.some((attempt) => isFinished(attempt.status))).toBe(true);
    }
  }
}

describe("any pipeline under any events", () => {
  it("honours needs, never uses an id twice, and is settled after every step", () => {
    fc.assert(
      fc.property(jobsArbitrary, fc.array(stepArbitrary, { maxLength: 30 }), (jobs, steps) => {
        const world = createTestEngine();
        const { pipeline } = world.start(...jobs);
        let known = 0;
        for (const step of steps) {
          act(world, pipeline.id, step);
          const run = world.engine.run(pipeline.id);
          if (run === undefined) throw new Error("the pipeline is gone");
          expectNeedsHonoured(run);
          expect(advance(run, world.clock.now())).toEqual(run);
          const ids = run.jobs.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
          expect(new Set(run.jobs.map(({ token }) => token)).size).toBe(ids.length);
          expect(ids.length).toBeGreaterThanOrEqual(known);
          known = ids.length;
          const latest = latestJobs(run).map((job) => job.definition.name);
          expect(new Set(latest).size).toBe(latest.length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("ends once its jobs are taken, its manual ones are played and every runner reports", () => {
    fc.assert(
      fc.property(jobsArbitrary, fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (jobs, results) => {
        const { engine, start } = createTestEngine();
        const { pipeline } = start(...jobs);
        for (let turn = 0; turn < 200; turn += 1) {
          const run = engine.run(pipeline.id);
          const next = run?.jobs.find((job) => job.status === "pending" || job.status === "manual");
          if (next === undefined) break;
          if (next.status === "manual") engine.play(next.id);
          else {
            engine.assign(next.id, { runnerId: 1, systemId: "s", gracefulCancel: false }, 60);
            const good = results[turn % results.length] ?? true;
            engine.finish(next.id, good ? { result: "success" } : { result: "failed", reason: "script_failure", exitCode: 1 });
          }
        }
        const ended = engine.run(pipeline.id);
        expect(isFinished(ended?.pipeline.status ?? "created")).toBe(true);
        expect(ended?.jobs.every((job) => isFinished(job.status))).toBe(true);
        expect(ended?.pipeline.finishedAt).toBeDefined();
        expect(engine.pending()).toEqual([]);
        expect(engine.running()).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("ends at once when it is cancelled", () => {
    fc.assert(
      fc.property(jobsArbitrary, fc.array(stepArbitrary, { maxLength: 10 }), (jobs, steps) => {
        const world = createTestEngine();
        const { pipeline } = world.start(...jobs);
        for (const step of steps) act(world, pipeline.id, { ...step, graceful: false });
        world.engine.cancelPipeline(pipeline.id);
        expect(world.engine.run(pipeline.id)?.jobs.every((job) => isFinished(job.status))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
