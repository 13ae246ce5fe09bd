import type {
  AccessCheck,
  ActiveJobs,
  ForgeJob,
  ForgePort,
  ForgeRunner,
  MadeRunner,
  RetriedJob,
  RunnerHeard,
  RunnerRequest,
  WebhookState,
} from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import { isFinished, isRunning, type JobStatus } from "../model/job.js";
import { matches } from "../model/matches.js";
import { isProtectedRef, type ProtectedRefs } from "../model/protected-refs.js";
import type { WorldClock, WorldRandom } from "./world-clock.fixture.js";
import type { Dials } from "./world-dials.fixture.js";

/** A job as it really is in the simulated forge. */
export interface WorldJob {
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
export interface WorldRunner {
  readonly runnerId: number;
  readonly token: string;
  readonly request: RunnerRequest;
  paused: boolean;
  /** When it asked for a job, as the forge wrote that down last. */
  contactedAt: number | undefined;
  readonly took: number[];
}

/** What a job is of. */
type Origin = Pick<WorldJob, "projectId" | "ref" | "refIsTag">;
const usual: Origin = { projectId: 7, ref: "main", refIsTag: false };
/** What is protected in every project. */
const guarded: ProtectedRefs = { branches: ["main", "release/*"], tags: ["v*"] };

const unreachableAfterMs = 10_000;
/** After so long without a word of the runner the forge fails its job. */
const stuckMs = 240_000;
/** A job that waits for so long is failed when no runner that may take it is there, by a look every ten minutes. */
const unservedMs = 3_600_000;
const lookEveryMs = 600_000;
const onlineMs = 7_200_000;

/** A forge with jobs, runners and hooks; its answers may be lost, refused or late. */
export class WorldForge implements ForgePort {
  readonly jobs = new Map<number, WorldJob>();
  readonly runners = new Map<number, WorldRunner>();
  /** How many runners the plan allows. */
  runnerLimit = Number.POSITIVE_INFINITY;
  private ids = 0;
  private downUntil = 0;

  constructor(
    private readonly clock: WorldClock,
    private readonly random: WorldRandom,
    private readonly dials: Dials,
    private readonly connection: Connection,
    private readonly events: { readonly hook: (job: WorldJob) => void; readonly changed: () => void },
  ) {}

  cutOff(forMs: number): void {
    this.downUntil = this.clock.now() + forMs;
  }

  // What happens in the forge.

  push(
    tags: readonly string[],
    durationMs: number,
    outcome: "success" | "failed",
    retryOf?: WorldJob,
    origin: Origin = retryOf ?? usual,
  ): WorldJob {
    const jobId = ++this.ids;
    const { projectId, ref, refIsTag } = origin;
    const job: WorldJob = {
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
    this.become(job, "pending");
    this.clock.after(unservedMs, () => this.failWhenUnserved(job));
    return job;
  }

  private failWhenUnserved(job: WorldJob): void {
    if (job.status !== "pending") return;
    const isServed = [...this.runners.values()].some(
      (runner) => !runner.paused && this.clock.now() - (runner.contactedAt ?? 0) < onlineMs && this.mayTake(runner, job),
    );
    if (isServed) this.clock.after(lookEveryMs, () => this.failWhenUnserved(job));
    else this.become(job, "failed");
  }

  /** What a runner's request leaves behind, paused or not; it is not written down each time. */
  private hearRunner(runner: WorldRunner): void {
    const { contactedAt } = runner;
    const isOld = contactedAt === undefined || this.clock.now() - contactedAt >= this.random.between(40, 55) * 60_000;
    if (isOld) runner.contactedAt = this.clock.now();
  }

  private mayTake({ request }: WorldRunner, job: WorldJob): boolean {
    const traits = { ...request, scope: this.connection.scope, protectedOnly: request.protectedOnly === true };
    return matches(traits, { ...job, protected: isProtectedRef(guarded, job.ref, job.refIsTag) });
  }

  /** Somebody else makes a runner; its id. */
  addRunner(description: string): number {
    const runnerId = ++this.ids;
    const request = { description, tags: ["theirs"], runUntagged: false, maxJobTimeoutS: 3600 };
    this.runners.set(runnerId, { runnerId, token: `glrt-${runnerId}`, request, paused: false, contactedAt: undefined, took: [] });
    return runnerId;
  }

  cancel(job: WorldJob): void {
    if (isFinished(job.status)) return;
    job.cancelledFor = "its-user";
    this.become(job, "canceled");
  }

  /** What a runner is given that asks for a job with its token. */
  request(token: string): WorldJob | undefined {
    const runner = [...this.runners.values()].find((candidate) => candidate.token === token);
    if (runner !== undefined) this.hearRunner(runner);
    if (runner === undefined || runner.paused) return undefined;
    const job = [...this.jobs.values()].find((candidate) => candidate.status === "pending" && this.mayTake(runner, candidate));
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
  hear(job: WorldJob): void {
    job.heardAt = this.clock.now();
  }

  private failWhenSilent(job: WorldJob): void {
    this.clock.after(job.heardAt + stuckMs - this.clock.now(), () => {
      if (!isRunning(job.status)) return;
      if (this.clock.now() - job.heardAt >= stuckMs) this.become(job, "failed");
      else this.failWhenSilent(job);
    });
  }

  /** The runner's last word about a job. */
  finish(job: WorldJob, outcome: "success" | "failed"): void {
    if (isRunning(job.status)) this.become(job, job.status === "canceling" ? "canceled" : outcome);
  }

  private become(job: WorldJob, status: JobStatus): void {
    job.status = status;
    job.history.push(status);
    if (isFinished(status)) job.finishedAt = this.clock.now();
    this.events.changed();
    if (this.random.chance(this.dials.hookLost)) return;
    const times = this.random.chance(this.dials.hookDoubled) ? 3 : 1;
    for (let n = 0; n < times; n++) this.clock.after(this.random.between(5, 300), () => this.events.hook(job));
  }

  // What the port may ask.

  async readJob(_connection: Connection, _projectId: number, jobId: number): Promise<ForgeJob | undefined> {
    await this.travel();
    const job = this.jobs.get(jobId);
    const told = job === undefined ? undefined : tell(job);
    await this.answer();
    return told;
  }

  async activeJobs(): Promise<ActiveJobs> {
    await this.travel();
    const jobs = [...this.jobs.values()].filter((job) => job.status === "pending" || isRunning(job.status)).map(tell);
    await this.answer();
    const projectIds = new Set([...this.jobs.values()].map(({ projectId }) => projectId));
    return { jobs, projectIds: [...projectIds], unread: [] };
  }

  async cancelJob(_connection: Connection, _projectId: number, jobId: number, force: boolean): Promise<ForgeJob | undefined> {
    await this.travel();
    const job = this.jobs.get(jobId);
    if (job?.status === "pending" || job?.status === "running") {
      job.cancelledFor ??= "its-service";
      // Half of the runners want to end their cancelled jobs by themselves.
      this.become(job, job.status === "running" && jobId % 2 === 0 ? "canceling" : "canceled");
    } else if (job?.status === "canceling" && force) {
      this.become(job, "canceled");
    }
    const told = job === undefined ? undefined : tell(job);
    await this.answer();
    return told;
  }

  async retryJob(_connection: Connection, { jobId, name }: RetriedJob): Promise<ForgeJob | undefined> {
    await this.travel();
    const newer = [...this.jobs.values()].find((other) => other.name === name && other.jobId > jobId);
    const job = this.jobs.get(jobId);
    if (newer === undefined && job !== undefined && !isFinished(job.status))
      throw new FireRunnerError("FR-FORGE-UNAUTHORIZED", "simulated: the job is not retryable");
    const made = newer ?? (job === undefined ? undefined : this.push(job.tags, job.durationMs, job.outcome, job));
    const told = made === undefined ? undefined : tell(made);
    if (this.random.chance(this.dials.postAnswerLost)) await this.loseAnswer();
    await this.answer();
    return told;
  }

  async makeRunner(_connection: Connection, request: RunnerRequest): Promise<MadeRunner> {
    await this.travel();
    if (this.runners.size >= this.runnerLimit) throw new FireRunnerError("FR-FORGE-RUNNER-LIMIT", "simulated: no more runners");
    const runnerId = ++this.ids;
    const paused = request.paused === true;
    const runner: WorldRunner = { runnerId, token: `glrt-${runnerId}`, request, paused, contactedAt: undefined, took: [] };
    this.runners.set(runnerId, runner);
    this.events.changed();
    if (this.random.chance(this.dials.postAnswerLost)) await this.loseAnswer();
    await this.answer();
    return { runnerId, token: runner.token };
  }

  async findRunners(_connection: Connection, prefix: string): Promise<readonly ForgeRunner[]> {
    await this.travel();
    const found = [...this.runners.values()]
      .filter((runner) => runner.request.description.startsWith(prefix))
      .map(({ runnerId, request, paused }) => ({ runnerId, description: request.description, paused }));
    await this.answer();
    return found;
  }

  async pauseRunner(_connection: Connection, runnerId: number): Promise<"paused" | "absent"> {
    await this.travel();
    const runner = this.runners.get(runnerId);
    if (runner !== undefined) runner.paused = true;
    await this.answer();
    return runner === undefined ? "absent" : "paused";
  }

  async unpauseRunner(_connection: Connection, runnerId: number): Promise<"unpaused" | "absent"> {
    await this.travel();
    const runner = this.runners.get(runnerId);
    if (runner !== undefined) runner.paused = false;
    await this.answer();
    return runner === undefined ? "absent" : "unpaused";
  }

  async readRunner(_connection: Connection, runnerId: number): Promise<ForgeRunner | undefined> {
    await this.travel();
    const runner = this.runners.get(runnerId);
    await this.answer();
    return runner === undefined ? undefined : { runnerId, description: runner.request.description, paused: runner.paused };
  }

  async showRunner(_connection: Connection, token: string): Promise<RunnerHeard> {
    await this.travel();
    const isKnown = [...this.runners.values()].some((runner) => runner.token === token);
    const given = this.request(token);
    if (given !== undefined) this.finish(given, "failed");
    await this.answer();
    if (given !== undefined) return { state: "given", jobId: given.jobId, ended: true };
    return isKnown ? { state: "heard" } : { state: "absent" };
  }

  async runningJobs(_connection: Connection, runnerId: number): Promise<readonly ForgeJob[]> {
    await this.travel();
    const running = [...this.jobs.values()].filter((job) => job.runnerId === runnerId && isRunning(job.status)).map(tell);
    await this.answer();
    return running;
  }

  async deleteRunner(_connection: Connection, runnerId: number): Promise<"deleted" | "absent"> {
    await this.travel();
    const deleted = this.runners.delete(runnerId);
    this.events.changed();
    await this.answer();
    return deleted ? "deleted" : "absent";
  }

  async protectedRefs(): Promise<ProtectedRefs> {
    await this.travel();
    await this.answer();
    return guarded;
  }

  async jobLog(): Promise<undefined> {
    return undefined;
  }

  async checkAccess(): Promise<AccessCheck> {
    await this.travel();
    await this.answer();
    return { ok: true, missing: [] };
  }

  async ensureWebhook(): Promise<WebhookState> {
    await this.travel();
    await this.answer();
    return { state: "kept" };
  }

  async stop(): Promise<void> {}

  private async travel(): Promise<void> {
    await this.clock.sleep(this.random.between(1, 40));
    if (this.clock.now() < this.downUntil) await this.loseAnswer();
    if (this.random.chance(this.dials.forgeLimits)) {
      throw new FireRunnerError("FR-FORGE-RATE-LIMITED", "simulated limit", {
        retryable: true,
        retryAfterMs: this.random.between(1_000, 15_000),
      });
    }
    if (this.random.chance(this.dials.forgeFails)) {
      throw new FireRunnerError("FR-FORGE-UNREACHABLE", "simulated trouble of the forge", { retryable: true });
    }
  }

  private async answer(): Promise<void> {
    await this.clock.sleep(this.random.between(1, 40));
    if (this.clock.now() < this.downUntil) await this.loseAnswer();
  }

  private async loseAnswer(): Promise<never> {
    await this.clock.sleep(unreachableAfterMs);
    throw new FireRunnerError("FR-FORGE-UNREACHABLE", "simulated: no answer", { retryable: true });
  }
}

function tell(job: WorldJob): ForgeJob {
  return {
    projectId: job.projectId,
    jobId: job.jobId,
    name: job.name,
    stage: "test",
    pipelineId: 1,
    ref: job.ref,
    refIsTag: job.refIsTag,
    status: job.status,
    tags: job.tags,
    protected: "unknown",
    allowFailure: false,
    runnerId: job.runnerId,
    createdAt: job.createdAt,
    queuedAt: job.createdAt,
    startedAt: job.startedAt,
    finishedAt: job.finishedAt,
  };
}
