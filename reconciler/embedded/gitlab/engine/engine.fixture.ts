import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { seededRandom } from "../../host/seeded-random.js";
import type { JobDefinition, PipelineDefinition } from "../ci-file/definition.js";
import type { Change } from "./changes.js";
import { createEngine, type Engine } from "./engine.js";
import type { NewPipeline } from "./new-run.js";
import type { Job, Run } from "./run.js";

/** A job that succeeds or fails as its runner says, with what a file leaves out filled in. */
export function aJob(name: string, changes: Partial<JobDefinition> = {}): JobDefinition {
  return {
    name,
    stage: "test",
    needs: undefined,
    beforeScript: [],
    script: ["true"],
    afterScript: [],
    variables: [],
    tags: [],
    when: "on_success",
    allowFailure: false,
    retry: { max: 0, when: [] },
    timeoutS: undefined,
    startInS: undefined,
    resourceGroup: undefined,
    ...changes,
  };
}

const aPipeline = (...jobs: readonly JobDefinition[]): PipelineDefinition => ({ stages: ["build", "test", "deploy"], jobs });

export const ofMain: NewPipeline = {
  projectId: 1,
  ref: "main",
  tag: false,
  protected: true,
  beforeSha: "0".repeat(40),
  source: "push",
  variables: [],
  commit: {
    sha: "1".repeat(40),
    parents: [],
    message: "Change something\n",
    authorName: "Ada",
    authorEmail: "ada@example.com",
    authoredAt: "2026-01-02T03:04:05+00:00",
    committerName: "Ada",
    committerEmail: "ada@example.com",
    committedAt: "2026-01-02T03:04:05+00:00",
  },
};

export interface TestEngine {
  readonly engine: Engine;
  readonly clock: ManualClock;
  /** What the listeners were told: `unit created`, `pipeline running`. */
  readonly told: string[];
  start(...jobs: readonly JobDefinition[]): Run;
  /** The newest job of this name in the newest pipeline. */
  job(name: string): Job;
  /** `name status` of the newest jobs of each name. */
  statuses(): readonly string[];
  pipelineStatus(): string;
  /** Hands the job to a runner. */
  take(name: string, gracefulCancel?: boolean): void;
  succeed(name: string): void;
  fail(name: string, reason?: NonNullable<Job["failureReason"]>, exitCode?: number): void;
}

export function createTestEngine(maxPipelines = 100): TestEngine {
  const clock = new ManualClock();
  const engine = createEngine({ clock, random: seededRandom(), maxPipelines, projectTimeoutS: 3600 });
  const told: string[] = [];
  engine.onChange((change: Change) =>
    told.push(change.kind === "job" ? `${change.job.definition.name} ${change.job.status}` : `pipeline ${change.run.pipeline.status}`),
  );
  let last = 0;
  const run = (): Run => {
    const found = engine.run(last);
    if (found === undefined) throw new Error("no pipeline was started");
    return found;
  };
  const job = (name: string): Job => {
    const found = run().jobs.findLast((candidate) => candidate.definition.name === name);
    if (found === undefined) throw new Error(`no job ${name}`);
    return found;
  };
  const take = (name: string, gracefulCancel = false) =>
    engine.assign(job(name).id, { runnerId: 1, systemId: "s_1", gracefulCancel }, job(name).timeoutS);
  return {
    engine,
    clock,
    told,
    start(...jobs) {
      const started = engine.create(ofMain, { definition: aPipeline(...jobs) });
      last = started.pipeline.id;
      return started;
    },
    job,
    statuses: () =>
      run()
        .jobs.filter((one) => !one.retried)
        .map((one) => `${one.definition.name} ${one.status}`),
    pipelineStatus: () => run().pipeline.status,
    take,
    succeed(name) {
      if (job(name).status === "pending") take(name);
      engine.finish(job(name).id, { result: "success" });
    },
    fail(name, reason = "script_failure", exitCode = 1) {
      if (job(name).status === "pending") take(name);
      engine.finish(job(name).id, { result: "failed", reason, exitCode });
    },
  };
}
