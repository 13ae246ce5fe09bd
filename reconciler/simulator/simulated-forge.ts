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
import { isFinished, isRunning } from "../model/job.js";
import type { ProtectedRefs } from "../model/protected-refs.js";
import { ForgeWorkings, guarded, type SimulatedJob, type SimulatedRunner } from "./forge-workings.js";

const unreachableAfterMs = 10_000;

/** What may be asked of a forge. */
export type ForgeCall = Exclude<keyof ForgePort, "stop">;

/** A forge as its API shows it: answers may be lost, refused, late, or not come for a while. */
export class SimulatedForge extends ForgeWorkings implements ForgePort {
  /** How far its clock is ahead: every time that it tells of jobs is. */
  clockAheadMs = 0;
  private downUntil = 0;
  private readonly failing = new Map<ForgeCall, number>();

  /** It answers nothing for so long; runners reach it all the same. */
  cutOff(forMs: number): void {
    this.downUntil = this.clock.now() + forMs;
  }

  /** Every call of one kind fails for so long, while the others are answered. */
  failCall(call: ForgeCall, forMs: number): void {
    this.failing.set(call, this.clock.now() + forMs);
  }

  async readJob(_connection: Connection, _projectId: number, jobId: number): Promise<ForgeJob | undefined> {
    await this.travel("readJob");
    const job = this.jobs.get(jobId);
    const told = job === undefined ? undefined : this.tell(job);
    await this.answer();
    return told;
  }

  async activeJobs(): Promise<ActiveJobs> {
    await this.travel("activeJobs");
    const jobs = [...this.open.values()].filter((job) => job.status === "pending" || isRunning(job.status)).map((job) => this.tell(job));
    await this.answer();
    const projectIds = new Set([...this.jobs.values()].map(({ projectId }) => projectId));
    return { jobs, projectIds: [...projectIds], unread: [] };
  }

  async cancelJob(_connection: Connection, _projectId: number, jobId: number, force: boolean): Promise<ForgeJob | undefined> {
    await this.travel("cancelJob");
    const job = this.jobs.get(jobId);
    if (job?.status === "pending" || job?.status === "running") {
      job.cancelledFor ??= "its-service";
      // Half of the runners want to end their cancelled jobs by themselves.
      this.become(job, job.status === "running" && jobId % 2 === 0 ? "canceling" : "canceled");
    } else if (job?.status === "canceling" && force) {
      this.become(job, "canceled");
    }
    const told = job === undefined ? undefined : this.tell(job);
    await this.answer();
    return told;
  }

  async retryJob(_connection: Connection, { jobId, name }: RetriedJob): Promise<ForgeJob | undefined> {
    await this.travel("retryJob");
    const newer = [...this.jobs.values()].find((other) => other.name === name && other.jobId > jobId);
    const job = this.jobs.get(jobId);
    if (newer === undefined && job !== undefined && !isFinished(job.status))
      throw new FireRunnerError("FR-FORGE-UNAUTHORIZED", "simulated: the job is not retryable");
    const made = newer ?? (job === undefined ? undefined : this.push(job.tags, job.durationMs, job.outcome, job));
    const told = made === undefined ? undefined : this.tell(made);
    if (this.faults.strikes("postAnswerLost")) await this.loseAnswer();
    await this.answer();
    return told;
  }

  async makeRunner(_connection: Connection, request: RunnerRequest): Promise<MadeRunner> {
    await this.travel("makeRunner");
    if (this.runners.size >= this.runnerLimit) throw new FireRunnerError("FR-FORGE-RUNNER-LIMIT", "simulated: no more runners");
    const runnerId = this.nextId();
    const paused = request.paused === true;
    const runner: SimulatedRunner = { runnerId, token: `glrt-${runnerId}`, request, paused, contactedAt: undefined, took: [] };
    this.runners.set(runnerId, runner);
    this.events.changed();
    if (this.faults.strikes("postAnswerLost")) await this.loseAnswer();
    await this.answer();
    return { runnerId, token: runner.token };
  }

  async findRunners(_connection: Connection, prefix: string): Promise<readonly ForgeRunner[]> {
    await this.travel("findRunners");
    const found = [...this.runners.values()]
      .filter((runner) => runner.request.description.startsWith(prefix))
      .map(({ runnerId, request, paused }) => ({ runnerId, description: request.description, paused }));
    await this.answer();
    return found;
  }

  async pauseRunner(_connection: Connection, runnerId: number): Promise<"paused" | "absent"> {
    await this.travel("pauseRunner");
    const runner = this.runners.get(runnerId);
    if (runner !== undefined) runner.paused = true;
    await this.answer();
    return runner === undefined ? "absent" : "paused";
  }

  async unpauseRunner(_connection: Connection, runnerId: number): Promise<"unpaused" | "absent"> {
    await this.travel("unpauseRunner");
    const runner = this.runners.get(runnerId);
    if (runner !== undefined) runner.paused = false;
    await this.answer();
    return runner === undefined ? "absent" : "unpaused";
  }

  async readRunner(_connection: Connection, runnerId: number): Promise<ForgeRunner | undefined> {
    await this.travel("readRunner");
    const runner = this.runners.get(runnerId);
    await this.answer();
    return runner === undefined ? undefined : { runnerId, description: runner.request.description, paused: runner.paused };
  }

  async showRunner(_connection: Connection, token: string): Promise<RunnerHeard> {
    await this.travel("showRunner");
    const isKnown = [...this.runners.values()].some((runner) => runner.token === token);
    const given = this.request(token);
    if (given !== undefined) this.finish(given, "failed");
    await this.answer();
    if (given !== undefined) return { state: "given", jobId: given.jobId, ended: true };
    return isKnown ? { state: "heard" } : { state: "absent" };
  }

  async runningJobs(_connection: Connection, runnerId: number): Promise<readonly ForgeJob[]> {
    await this.travel("runningJobs");
    const running = [...this.open.values()]
      .filter((job) => job.runnerId === runnerId && isRunning(job.status))
      .map((job) => this.tell(job));
    await this.answer();
    return running;
  }

  async deleteRunner(_connection: Connection, runnerId: number): Promise<"deleted" | "absent"> {
    await this.travel("deleteRunner");
    const deleted = this.runners.delete(runnerId);
    this.events.changed();
    await this.answer();
    return deleted ? "deleted" : "absent";
  }

  async protectedRefs(): Promise<ProtectedRefs> {
    await this.travel("protectedRefs");
    await this.answer();
    return guarded;
  }

  async jobLog(): Promise<undefined> {
    return undefined;
  }

  async checkAccess(): Promise<AccessCheck> {
    await this.travel("checkAccess");
    await this.answer();
    return { ok: true, missing: [] };
  }

  async ensureWebhook(): Promise<WebhookState> {
    await this.travel("ensureWebhook");
    await this.answer();
    return { state: "kept" };
  }

  async stop(): Promise<void> {}

  private async travel(call: ForgeCall): Promise<void> {
    await this.clock.sleep(this.faults.strikes("forgeSlow") ? this.random.between(1_000, 8_000) : this.random.between(1, 40));
    if (this.clock.now() < this.downUntil) await this.loseAnswer();
    if (this.clock.now() < (this.failing.get(call) ?? 0)) {
      throw new FireRunnerError("FR-FORGE-UNREACHABLE", `simulated: ${call} fails for long`, { retryable: true });
    }
    if (this.faults.strikes("forgeLimits")) {
      throw new FireRunnerError("FR-FORGE-RATE-LIMITED", "simulated limit", {
        retryable: true,
        retryAfterMs: this.random.between(1_000, 15_000),
      });
    }
    if (this.faults.strikes("forgeFails")) {
      throw new FireRunnerError("FR-FORGE-UNREACHABLE", "simulated trouble of the forge", { retryable: true });
    }
  }

  private async answer(): Promise<void> {
    await this.clock.sleep(this.random.between(1, 40));
    if (this.clock.now() < this.downUntil || this.faults.strikes("forgeAnswerLost")) await this.loseAnswer();
  }

  private async loseAnswer(): Promise<never> {
    await this.clock.sleep(unreachableAfterMs);
    throw new FireRunnerError("FR-FORGE-UNREACHABLE", "simulated: no answer", { retryable: true });
  }

  private tell(job: SimulatedJob): ForgeJob {
    const { projectId, jobId, name, ref, refIsTag, status, tags, runnerId, createdAt, startedAt, finishedAt } = job;
    const told = (at: number | undefined) => (at === undefined ? undefined : at + this.clockAheadMs);
    return {
      ...{ projectId, jobId, name, ref, refIsTag, status, tags, runnerId },
      stage: "test",
      pipelineId: 1,
      protected: "unknown",
      allowFailure: false,
      createdAt: told(createdAt),
      queuedAt: told(createdAt),
      startedAt: told(startedAt),
      finishedAt: told(finishedAt),
    };
  }
}
