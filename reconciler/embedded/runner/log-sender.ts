import type { Clock } from "../../model/clock.js";
import { pause } from "../pause.js";
import type { Coordinator, Heard, JobEnd, LogAnswer, UpdateAnswer } from "./coordinator.js";
import type { JobLog } from "./job-log.js";
import type { ReceivedJob } from "./received-job.js";

export interface LogSenderOptions {
  readonly coordinator: Coordinator;
  readonly job: ReceivedJob;
  readonly log: JobLog;
  readonly clock: Clock;
  /** Somebody cancelled the job: it may still run its after_script. */
  readonly onCancel: () => void;
  /** The job was ended by others: nothing more of it is wanted. */
  readonly onAbort: () => void;
}

const chunkBytes = 1_048_576;
const firstIntervalMs = 3_000;
const keepAliveMs = 30_000;
const firstBackOffMs = 1_000;
const maxBackOffMs = 30_000;
const maxFailures = 10;
/** How often the coordinator may ask for parts again, or to be asked again, before the runner gives up. */
const maxRounds = 30;
const finishLimitMs = 300_000;
const hurriedLimitMs = 20_000;

/**
 * Brings a job's log to the coordinator while the job runs, a part every few seconds, and its end with the rest.
 * While nothing is written it says now and then that the job still runs; that is how it hears of a cancel, too.
 */
export class LogSender {
  private sent = 0;
  private intervalMs = firstIntervalMs;
  private heardAt: number;
  private gone = false;
  private ending = false;
  private cancelTimer = () => {};
  private sending: Promise<void> = Promise.resolve();
  private readonly hurried = new AbortController();

  constructor(private readonly options: LogSenderOptions) {
    this.heardAt = options.clock.now();
    this.plan(this.intervalMs);
  }

  /** There is little time left: the end is still told, but not over and over. */
  hurry(): void {
    this.hurried.abort();
  }

  /**
   * Sends the rest of the log and how the job ended. True when the coordinator took it; false when the job is no longer
   * this runner's, or when it could not be told in time.
   */
  async finish(end: JobEnd): Promise<boolean> {
    this.ending = true;
    this.cancelTimer();
    await this.sending;
    const { log, coordinator, job, clock } = this.options;
    const startedAt = clock.now();
    let failures = 0;
    for (let rounds = 0; rounds < maxRounds && !this.gone; ) {
      const rest = log.read(this.sent, chunkBytes);
      const answer: LogAnswer | UpdateAnswer =
        rest.length > 0
          ? await coordinator.appendLog(job, this.sent, rest)
          : await coordinator.updateJob(job, { ...end, checksum: log.checksum, bytesize: log.size });
      if (answer.kind === "done") return true;
      if (answer.kind === "gone") return false;
      failures = answer.kind === "failed" ? failures + 1 : 0;
      if (answer.kind === "resume" || answer.kind === "mismatch" || answer.kind === "later") rounds += 1;
      this.move(answer, rest.length);
      const waitMs = waitBeforeNext(answer, failures);
      const limitMs = this.hurried.signal.aborted ? hurriedLimitMs : finishLimitMs;
      if (failures > maxFailures || clock.now() + waitMs > startedAt + limitMs) return false;
      if (waitMs > 0) await pause(clock, waitMs, ...(this.hurried.signal.aborted ? [] : [this.hurried.signal]));
    }
    return false;
  }

  private plan(delayMs: number): void {
    this.cancelTimer = this.options.clock.after(delayMs, () => {
      this.sending = this.tick();
    });
  }

  private async tick(): Promise<void> {
    const { log, coordinator, job, clock } = this.options;
    let retryAfterMs = 0;
    while (!this.gone) {
      const chunk = log.read(this.sent, chunkBytes);
      if (chunk.length === 0 && clock.now() - this.heardAt < keepAliveMs) break;
      const answer =
        chunk.length > 0 ? await coordinator.appendLog(job, this.sent, chunk) : await coordinator.updateJob(job, { state: "running" });
      if (answer.kind === "gone") this.lose();
      else if (answer.kind !== "failed") this.hear(answer);
      this.move(answer, chunk.length);
      if (answer.kind === "failed") retryAfterMs = answer.retryAfterMs ?? 0;
      if (answer.kind !== "kept" || this.ending) break;
    }
    if (!this.gone && !this.ending) this.plan(Math.max(this.intervalMs, retryAfterMs));
  }

  private hear({ wish, intervalMs }: Heard): void {
    this.heardAt = this.options.clock.now();
    this.intervalMs = intervalMs ?? this.intervalMs;
    if (wish === "cancel") this.options.onCancel();
    if (wish === "abort") this.lose();
  }

  private lose(): void {
    this.gone = true;
    this.options.onAbort();
  }

  private move(answer: LogAnswer | UpdateAnswer, sentBytes: number): void {
    if (answer.kind === "kept") this.sent += sentBytes;
    if (answer.kind === "resume") this.sent = Math.min(answer.from, this.options.log.size);
    if (answer.kind === "mismatch") this.sent = 0;
  }
}

function waitBeforeNext(answer: LogAnswer | UpdateAnswer, failures: number): number {
  if (answer.kind === "failed") return Math.max(Math.min(firstBackOffMs * 2 ** (failures - 1), maxBackOffMs), answer.retryAfterMs ?? 0);
  return answer.kind === "later" ? firstBackOffMs : 0;
}
