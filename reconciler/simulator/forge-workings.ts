import type { RunnerRequest } from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import { isFinished, isRunning, type JobStatus } from "../model/job.js";
import { matches } from "../model/matches.js";
import { isProtectedRef, type ProtectedRefs } from "../model/protected-refs.js";
import type { FaultBoard } from "./dials.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

/** A job as it really is in the simulated forge. */
export interface SimulatedJob {
  readonly projectId: number;
  readonly jobId: number;
  readonly tags: readonly string[];
  readonly durationMs: number;
  readonly outcome: "success" | "failed";
  readonly createdAt: number;
  readonly ref: string;
  readonly refIsTag: boolean;
  /** One name is one job of the pipeline, and its retries. */
  readonly name: string;
  /** The job that it is a retry of. */
  readonly retryOf: number | undefined;
  /** Cancelled through the port, while it ran. */
  cancelledFor: "its-user" | "its-service" | undefined;
  status: JobStatus;
  runnerId: number | undefined;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  /** When its runner said something last. */
  heardAt: number;
  /** Everything that ever happened to it. */
  readonly history: JobStatus[];
}

/** A runner as it really is there. */
export interface SimulatedRunner {
  readonly runnerId: number;
  readonly token: string;
  readonly request: RunnerRequest;
  paused: boolean;
  /** When it asked for a job, as the forge wrote that down last. */
  contactedAt: number | undefined;
  readonly took: number[];
}

/** What a job is of. */
export type Origin = Pick<SimulatedJob, "projectId" | "ref" | "refIsTag">;
const usual: Origin = { projectId: 7, ref: "main", refIsTag: false };
/** What is protected in every project. */
export const guarded: ProtectedRefs = { branches: ["main", "release/*"], tags: ["v*"] };

/** After so long without a word of the runner the forge fails its job. */
const stuckMs = 240_000;
/** A job that waits for so long is failed when no runner that may take it is there, by a look every ten minutes. */
const unservedMs = 3_600_000;
const lookEveryMs = 600_000;
const onlineMs = 7_200_000;

/** What happens in a forge by itself: jobs come, are taken by runners and end, and webhooks tell of them. */
export class ForgeWorkings {
  readonly jobs = new Map<number, SimulatedJob>();
  readonly runners = new Map<number, SimulatedRunner>();
  /** Jobs that it failed because no runner came for them. */
  readonly givenUp = new Set<number>();
  /** How many runners the plan allows. */
  runnerLimit = Number.POSITIVE_INFINITY;
  /** The jobs that are not over, in the order in which they came. */
  protected readonly open = new Map<number, SimulatedJob>();
  private ids = 0;

  constructor(
    protected readonly clock: VirtualClock,
    protected readonly random: SeededRandom,
    protected readonly faults: FaultBoard,
    private readonly connection: Connection,
    protected readonly events: { readonly hook: (job: SimulatedJob) => void; readonly changed: () => void },
  ) {}

  push(
    tags: readonly string[],
    durationMs: number,
    outcome: "success" | "failed",
    retryOf?: SimulatedJob,
    origin: Origin = retryOf ?? usual,
  ): SimulatedJob {
    const jobId = this.nextId();
    const { projectId, ref, refIsTag } = origin;
    const job: SimulatedJob = {
      projectId,
      ref,
      refIsTag,
      jobId,
      name: retryOf?.name ?? `job ${jobId}`,
      retryOf: retryOf?.jobId,
      cancelledFor: undefined,
      tags,
      durationMs,
      outcome,
      createdAt: this.clock.now(),
      status: "created",
      runnerId: undefined,
      startedAt: undefined,
      finishedAt: undefined,
      heardAt: this.clock.now(),
      history: ["created"],
    };
    this.jobs.set(job.jobId, job);
    this.open.set(job.jobId, job);
    this.become(job, "pending");
    this.clock.after(unservedMs, () => this.failWhenUnserved(job));
    return job;
  }

  private failWhenUnserved(job: SimulatedJob): void {
    if (job.status !== "pending") return;
    const isServed = [...this.runners.values()].some(
      (runner) => !runner.paused && this.clock.now() - (runner.contactedAt ?? 0) < onlineMs && this.mayTake(runner, job),
    );
    if (isServed) this.clock.after(lookEveryMs, () => this.failWhenUnserved(job));
    else {
      this.givenUp.add(job.jobId);
      this.become(job, "failed");
    }
  }

  /** What a runner's request leaves behind, paused or not; it is not written down each time. */
  private hearRunner(runner: SimulatedRunner): void {
    const { contactedAt } = runner;
    const isOld = contactedAt === undefined || this.clock.now() - contactedAt >= this.random.between(40, 55) * 60_000;
    if (isOld) runner.contactedAt = this.clock.now();
  }

  private mayTake({ request }: SimulatedRunner, job: SimulatedJob): boolean {
    const traits = { ...request, scope: this.connection.scope, protectedOnly: request.protectedOnly === true };
    return matches(traits, { ...job, protected: isProtectedRef(guarded, job.ref, job.refIsTag) });
  }

  /** Somebody else makes a runner; its id. */
  addRunner(description: string): number {
    const runnerId = this.nextId();
    const request = { description, tags: ["theirs"], runUntagged: false, maxJobTimeoutS: 3600 };
    this.runners.set(runnerId, { runnerId, token: `glrt-${runnerId}`, request, paused: false, contactedAt: undefined, took: [] });
    return runnerId;
  }

  /** Its user cancels it. When the service is about to do so as well, neither can tell whose cancellation came first. */
  cancel(job: SimulatedJob, isAskedFor: boolean): void {
    if (isFinished(job.status)) return;
    job.cancelledFor ??= isAskedFor ? "its-service" : "its-user";
    this.become(job, "canceled");
  }

  /** What a runner is given that asks for a job with its token. */
  request(token: string): SimulatedJob | undefined {
    const runner = [...this.runners.values()].find((candidate) => candidate.token === token);
    if (runner !== undefined) this.hearRunner(runner);
    if (runner === undefined || runner.paused) return undefined;
    const job = [...this.open.values()].find((candidate) => candidate.status === "pending" && this.mayTake(runner, candidate));
    if (job === undefined) return undefined;
    runner.took.push(job.jobId);
    job.runnerId = runner.runnerId;
    job.startedAt = this.clock.now();
    this.become(job, "running");
    this.hear(job);
    this.failWhenSilent(job);
    return job;
  }

  /** A runner that has a job sends its log now and then. */
  hear(job: SimulatedJob): void {
    job.heardAt = this.clock.now();
  }

  private failWhenSilent(job: SimulatedJob): void {
    this.clock.after(job.heardAt + stuckMs - this.clock.now(), () => {
      if (!isRunning(job.status)) return;
      if (this.clock.now() - job.heardAt >= stuckMs) this.become(job, "failed");
      else this.failWhenSilent(job);
    });
  }

  /** The runner's last word about a job. */
  finish(job: SimulatedJob, outcome: "success" | "failed"): void {
    if (isRunning(job.status)) this.become(job, job.status === "canceling" ? "canceled" : outcome);
  }

  protected become(job: SimulatedJob, status: JobStatus): void {
    job.status = status;
    job.history.push(status);
    if (isFinished(status)) {
      job.finishedAt = this.clock.now();
      this.open.delete(job.jobId);
    }
    this.events.changed();
    if (this.faults.strikes("hookLost")) return;
    const times = this.faults.strikes("hookDoubled") ? 3 : 1;
    for (let n = 0; n < times; n++) {
      const afterMs = this.faults.strikes("hookLate") ? this.random.between(1_000, 30_000) : this.random.between(5, 300);
      this.clock.after(afterMs, () => this.events.hook(job));
    }
  }

  /** Whether every job is over. */
  isIdle(): boolean {
    return this.open.size === 0;
  }

  /** Everything that is in it is deleted, as with its project. */
  clear(): void {
    for (const job of this.jobs.values()) if (job.status === "running") job.status = "canceled";
    this.jobs.clear();
    this.open.clear();
    this.runners.clear();
  }

  protected nextId(): number {
    return ++this.ids;
  }
}
