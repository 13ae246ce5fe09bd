import { describe, expect, it } from "vitest";
import { dialsSchema } from "../dials.js";
import { aJob, createTestEngine, ofMain } from "./engine.fixture.js";

describe("stages and needs", () => {
  it("starts a stage when the stages before it have succeeded", () => {
    const { start, statuses, succeed, pipelineStatus, told } = createTestEngine();
    start(aJob("compile", { stage: "build" }), aJob("unit"), aJob("publish", { stage: "deploy" }));
    expect(statuses()).toEqual(["compile pending", "unit created", "publish created"]);
    succeed("compile");
    expect(statuses()).toEqual(["compile success", "unit pending", "publish created"]);
    expect(pipelineStatus()).toBe("running");
    succeed("unit");
    succeed("publish");
    expect(pipelineStatus()).toBe("success");
    expect(told.slice(0, 5)).toEqual(["compile created", "compile pending", "unit created", "publish created", "pipeline pending"]);
    expect(told.slice(-3)).toEqual(["publish running", "publish success", "pipeline success"]);
  });

  it("starts a job when the jobs that it needs have succeeded, whatever its stage waits for", () => {
    const { start, statuses, succeed } = createTestEngine();
    const need = (job: string) => [{ job, optional: false }];
    start(
      aJob("compile", { stage: "build" }),
      aJob("assets", { stage: "build" }),
      aJob("lint", { needs: [] }),
      aJob("unit", { needs: need("compile") }),
      aJob("publish", { stage: "deploy", needs: need("unit") }),
    );
    expect(statuses()).toContain("lint pending");
    succeed("compile");
    expect(statuses()).toEqual(["compile success", "assets pending", "lint pending", "unit pending", "publish created"]);
    succeed("unit");
    expect(statuses()).toContain("publish pending");
  });

  it("passes over an optional need that the pipeline does not have", () => {
    const { start, statuses } = createTestEngine();
    start(aJob("unit", { needs: [{ job: "compile", optional: true }] }));
    expect(statuses()).toEqual(["unit pending"]);
  });

  it("after a failure skips what waits for success, and runs on_failure and always", () => {
    const { start, statuses, fail, succeed, pipelineStatus } = createTestEngine();
    start(
      aJob("compile", { stage: "build" }),
      aJob("unit"),
      aJob("tell", { when: "on_failure" }),
      aJob("tidy", { stage: "deploy", when: "always" }),
    );
    fail("compile");
    expect(statuses()).toEqual(["compile failed", "unit skipped", "tell pending", "tidy created"]);
    succeed("tell");
    succeed("tidy");
    expect(pipelineStatus()).toBe("failed");
  });

  it("skips on_failure when nothing failed", () => {
    const { start, statuses, succeed, pipelineStatus } = createTestEngine();
    start(aJob("compile", { stage: "build" }), aJob("tell", { when: "on_failure" }));
    succeed("compile");
    expect(statuses()).toEqual(["compile success", "tell skipped"]);
    expect(pipelineStatus()).toBe("success");
  });

  it("skips a job whose need was skipped", () => {
    const { start, statuses, fail } = createTestEngine();
    const need = (job: string) => [{ job, optional: false }];
    start(aJob("compile", { stage: "build" }), aJob("unit", { needs: need("compile") }), aJob("report", { needs: need("unit") }));
    fail("compile");
    expect(statuses()).toEqual(["compile failed", "unit skipped", "report skipped"]);
  });
});

describe("failures that are allowed", () => {
  it("lets the pipeline go on and succeed", () => {
    const { start, fail, succeed, statuses, pipelineStatus } = createTestEngine();
    start(aJob("experiment", { stage: "build", allowFailure: true }), aJob("unit"));
    fail("experiment");
    expect(statuses()).toEqual(["experiment failed", "unit pending"]);
    succeed("unit");
    expect(pipelineStatus()).toBe("success");
  });

  it("allows the exit codes that were named, and no others", () => {
    for (const [exitCode, status] of [
      [42, "success"],
      [1, "failed"],
    ] as const) {
      const { start, fail, job, pipelineStatus } = createTestEngine();
      start(aJob("unit", { allowFailure: { exitCodes: [42] } }));
      expect(job("unit").allowFailure).toBe(false);
      fail("unit", "script_failure", exitCode);
      expect(pipelineStatus()).toBe(status);
      expect(job("unit").exitCode).toBe(exitCode);
    }
  });
});

describe("retry", () => {
  it("repeats a failed job under a new id with a new token, as often as the file says", () => {
    const { start, fail, job, engine, pipelineStatus, told } = createTestEngine();
    const { pipeline } = start(aJob("unit", { retry: { max: 2, when: [] } }));
    const first = job("unit");
    fail("unit");
    const second = job("unit");
    expect(second).toMatchObject({ status: "pending", attempt: 1, assignment: undefined, failureReason: undefined });
    expect(second.id).toBeGreaterThan(first.id);
    expect(second.token).not.toBe(first.token);
    expect(engine.job(first.id)?.job).toMatchObject({ status: "failed", retried: true });
    fail("unit");
    fail("unit");
    expect(job("unit").attempt).toBe(2);
    expect(pipelineStatus()).toBe("failed");
    expect(engine.run(pipeline.id)?.jobs).toHaveLength(3);
    expect(told.slice(3, 9)).toEqual([
      "unit running",
      "pipeline running",
      "unit failed",
      "unit created",
      "unit pending",
      "pipeline pending",
    ]);
  });

  it("repeats only for the reasons that the file names", () => {
    const { start, fail, job } = createTestEngine();
    start(aJob("unit", { retry: { max: 2, when: ["runner_system_failure"] } }));
    fail("unit", "runner_system_failure");
    expect(job("unit").status).toBe("pending");
    fail("unit", "script_failure");
    expect(job("unit").status).toBe("failed");
  });

  it("by hand lets what was skipped run after all", () => {
    const { start, fail, succeed, job, engine, statuses, pipelineStatus } = createTestEngine();
    start(aJob("compile", { stage: "build" }), aJob("unit"), aJob("publish", { stage: "deploy" }));
    fail("compile");
    expect(statuses()).toEqual(["compile failed", "unit skipped", "publish skipped"]);
    const again = engine.retryJob(job("compile").id);
    expect(again).toMatchObject({ status: "pending", attempt: 1 });
    expect(statuses()).toEqual(["unit created", "publish created", "compile pending"]);
    for (const name of ["compile", "unit", "publish"]) succeed(name);
    expect(pipelineStatus()).toBe("success");
  });

  it("refuses to repeat what runs, was skipped or was repeated already", () => {
    const { start, fail, take, job, engine } = createTestEngine();
    start(aJob("compile", { stage: "build" }), aJob("unit"));
    take("compile");
    expect(engine.retryJob(job("compile").id)).toBeUndefined();
    const old = job("compile").id;
    fail("compile");
    expect(engine.retryJob(job("unit").id)).toBeUndefined();
    expect(engine.retryJob(old)).toBeDefined();
    expect(engine.retryJob(old)).toBeUndefined();
    expect(engine.retryJob(999)).toBeUndefined();
  });

  it("of a pipeline repeats what failed or was cancelled, and nothing else", () => {
    const { start, fail, succeed, engine, job, statuses } = createTestEngine();
    const { pipeline } = start(aJob("a"), aJob("b"), aJob("c"));
    succeed("a");
    fail("b");
    engine.cancelJob(job("c").id, false);
    engine.retryPipeline(pipeline.id);
    expect(statuses()).toEqual(["a success", "b pending", "c pending"]);
  });
});

describe("manual jobs", () => {
  it("hold nobody up when their failure is allowed, and run when played", () => {
    const { start, succeed, engine, job, statuses, pipelineStatus } = createTestEngine();
    start(aJob("unit"), aJob("deploy", { stage: "deploy", when: "manual", allowFailure: true }));
    succeed("unit");
    expect(statuses()).toEqual(["unit success", "deploy manual"]);
    expect(pipelineStatus()).toBe("success");
    engine.play(job("deploy").id);
    expect([job("deploy").status, pipelineStatus()]).toEqual(["pending", "running"]);
    succeed("deploy");
    expect(pipelineStatus()).toBe("success");
  });

  it("block the stages after them when their failure is not allowed", () => {
    const { start, engine, job, statuses, succeed, pipelineStatus } = createTestEngine();
    start(aJob("approve", { when: "manual" }), aJob("deploy", { stage: "deploy" }));
    expect([statuses(), pipelineStatus()]).toEqual([["approve manual", "deploy created"], "manual"]);
    engine.play(job("approve").id);
    succeed("approve");
    expect(statuses()).toEqual(["approve success", "deploy pending"]);
  });
});

describe("cancel", () => {
  it("ends waiting and running jobs at once, and what came after them with the pipeline", () => {
    const { start, take, engine, job, statuses, pipelineStatus } = createTestEngine();
    const { pipeline } = start(aJob("a"), aJob("b"), aJob("later", { stage: "deploy" }));
    take("a");
    const { token } = job("a");
    engine.cancelPipeline(pipeline.id);
    expect(statuses()).toEqual(["a canceled", "b canceled", "later canceled"]);
    expect(pipelineStatus()).toBe("canceled");
    expect(engine.jobByToken(token)).toBeUndefined();
  });

  it("lets a runner that knows how end its job, and ends as cancelled whatever the runner says", () => {
    const { start, take, succeed, engine, job, pipelineStatus } = createTestEngine();
    start(aJob("unit", { retry: { max: 2, when: [] } }));
    take("unit", true);
    engine.cancelJob(job("unit").id, false);
    expect([job("unit").status, pipelineStatus()]).toEqual(["canceling", "canceling"]);
    succeed("unit");
    expect([job("unit").status, pipelineStatus()]).toEqual(["canceled", "canceled"]);
  });

  it("by force does not wait for the runner", () => {
    const { start, take, engine, job } = createTestEngine();
    start(aJob("unit"));
    take("unit", true);
    engine.cancelJob(job("unit").id, false);
    engine.cancelJob(job("unit").id, true);
    expect(job("unit").status).toBe("canceled");
  });

  it("of one job skips what waits for its success", () => {
    const { start, engine, job, statuses } = createTestEngine();
    start(aJob("compile", { stage: "build" }), aJob("unit"));
    engine.cancelJob(job("compile").id, false);
    expect(statuses()).toEqual(["compile canceled", "unit skipped"]);
  });
});

describe("giving up", () => {
  const defaultPatience = dialsSchema.parse({}).patience;
  const hour = 3_600_000;

  it("fails a running job whose runner was not heard for an hour, and lets retry act", async () => {
    const { start, take, engine, clock, job } = createTestEngine();
    start(aJob("unit", { timeoutS: 90_000, retry: { max: 1, when: ["stuck_or_timeout_failure"] } }));
    take("unit");
    const first = job("unit");
    await clock.advance(hour - 1);
    engine.heard(first.id);
    await clock.advance(hour - 1);
    engine.giveUp(defaultPatience, () => true);
    expect(job("unit").status).toBe("running");
    await clock.advance(1);
    engine.giveUp(defaultPatience, () => true);
    expect(engine.job(first.id)?.job).toMatchObject({ status: "failed", failureReason: "stuck_or_timeout_failure" });
    expect(job("unit")).toMatchObject({ status: "pending", attempt: 1 });
  });

  it("fails a job that is beyond its timeout and the margin", async () => {
    const { start, take, engine, clock, job } = createTestEngine();
    start(aJob("unit", { timeoutS: 600 }));
    take("unit");
    await clock.advance(600_000 + defaultPatience.timeoutMarginMs);
    engine.heard(job("unit").id);
    engine.giveUp(defaultPatience, () => true);
    expect(job("unit")).toMatchObject({ status: "failed", failureReason: "job_execution_timeout" });
  });

  it("fails a pending job after an hour without an online runner for it, and after a day in any case", async () => {
    const { start, engine, clock, job } = createTestEngine();
    start(aJob("unit"));
    await clock.advance(hour);
    engine.giveUp(defaultPatience, () => true);
    expect(job("unit").status).toBe("pending");
    engine.giveUp(defaultPatience, () => false);
    expect(job("unit")).toMatchObject({ status: "failed", failureReason: "stuck_or_timeout_failure" });

    start(aJob("unit"));
    await clock.advance(24 * hour);
    engine.giveUp(defaultPatience, () => true);
    expect(job("unit").status).toBe("failed");
  });
});

describe("what is kept", () => {
  it("forgets the oldest pipelines that have ended, and their jobs with them", () => {
    const { engine, start, succeed } = createTestEngine(2);
    const forgotten: number[] = [];
    engine.onForgotten((ids) => forgotten.push(...ids));
    const unended = start(aJob("unit"));
    const ended = start(aJob("unit"));
    succeed("unit");
    start(aJob("unit"));
    expect(forgotten).toEqual(ended.jobs.map(({ id }) => id));
    expect(engine.run(ended.pipeline.id)).toBeUndefined();
    expect(engine.job(forgotten[0] ?? 0)).toBeUndefined();
    expect(engine.run(unended.pipeline.id)).toBeDefined();
  });

  it("takes no more when too many have not ended", () => {
    const { engine, start } = createTestEngine(2);
    for (let n = 0; n < 4; n += 1) start(aJob("unit"));
    expect(engine.full()).toBe(true);
  });

  it("keeps a file that was refused as a failed pipeline, with its reason", () => {
    const { engine, told } = createTestEngine();
    const { pipeline, jobs } = engine.create(ofMain, { yamlErrors: "line 1: no" });
    expect([pipeline.status, pipeline.yamlErrors, jobs, told]).toEqual(["failed", "line 1: no", [], ["pipeline failed"]]);
  });
});

describe("delayed jobs", () => {
  const minute = 60_000;

  it("start by themselves when their time has come", async () => {
    const { start, succeed, statuses, pipelineStatus, clock, job } = createTestEngine();
    start(aJob("unit"), aJob("later", { stage: "deploy", when: "delayed", startInS: 600 }));
    succeed("unit");
    expect([statuses(), pipelineStatus()]).toEqual([["unit success", "later scheduled"], "scheduled"]);
    expect(job("later").scheduledAt).toBe(clock.now() + 10 * minute);
    await clock.advance(10 * minute - 1);
    expect(statuses()).toContain("later scheduled");
    await clock.advance(1);
    expect([job("later").status, job("later").queuedAt]).toEqual(["pending", clock.now()]);
  });

  it("start before when somebody plays them, and never when they are cancelled or everything stops", async () => {
    const { start, engine, statuses, clock, job } = createTestEngine();
    const delayed = { when: "delayed", startInS: 60 } as const;
    start(aJob("a", delayed), aJob("b", delayed), aJob("c", delayed));
    engine.play(job("a").id);
    engine.cancelJob(job("b").id, false);
    expect(statuses()).toEqual(["a pending", "b canceled", "c scheduled"]);
    engine.stop();
    await clock.advance(2 * minute);
    expect([statuses(), clock.waiting]).toEqual([["a pending", "b canceled", "c scheduled"], 0]);
  });
});

describe("resource groups", () => {
  const deploy = { resourceGroup: "production" };

  it("let one job at a time through, in the order of their ids, across pipelines", () => {
    const { start, engine, told } = createTestEngine();
    const jobOf = (run: { readonly jobs: readonly { readonly id: number }[] }) => {
      const found = engine.job(run.jobs[0]?.id ?? 0)?.job;
      if (found === undefined) throw new Error("no job");
      return found;
    };
    const runs = [start(aJob("deploy", deploy)), start(aJob("deploy", deploy)), start(aJob("deploy", deploy))];
    const now = () => runs.map((run) => jobOf(run).status);
    expect(now()).toEqual(["pending", "waiting_for_resource", "waiting_for_resource"]);
    expect(told.slice(0, 3)).toEqual(["deploy created", "deploy waiting_for_resource", "pipeline waiting_for_resource"]);
    const [first, second] = runs.map(jobOf);
    engine.assign(first?.id ?? 0, { runnerId: 1, systemId: "s_1", gracefulCancel: false }, 60);
    expect(now()).toEqual(["running", "waiting_for_resource", "waiting_for_resource"]);
    engine.finish(first?.id ?? 0, { result: "failed", reason: "script_failure", exitCode: 1 });
    expect(now()).toEqual(["failed", "pending", "waiting_for_resource"]);
    engine.cancelJob(second?.id ?? 0, false);
    expect(now()).toEqual(["failed", "canceled", "pending"]);
  });

  it("hold nobody else up, and count from when the resource was given", async () => {
    const { start, succeed, statuses, clock, job } = createTestEngine();
    start(aJob("a", deploy), aJob("b", deploy), aJob("c", { resourceGroup: "staging" }), aJob("d"));
    expect(statuses()).toEqual(["a pending", "b waiting_for_resource", "c pending", "d pending"]);
    await clock.advance(5000);
    succeed("a");
    expect([job("b").status, job("b").queuedAt]).toEqual(["pending", clock.now()]);
  });
});
