import type { Clock } from "../model/clock.js";

/** So many times as long as a turn is the rest after it. */
const restFactor = 3;
/** The longest rest between two turns. */
const longestRestMs = 50;
/** So much rest may be owed before one is taken: the first turns after a start or a quiet while come at once. */
const lentMs = 200;

/**
 * Runs one task again and again, whenever it is wanted and never twice at once. What is wanted in one go is one turn:
 * it begins when everything that happens right now has happened. For a turn that took long the loop owes a rest three
 * times as long, so that a busy loop leaves most of the time to those that it works for, and does much in one turn.
 * A loop that was not busy may owe it for a while: whatever was not wanted meanwhile is rest too.
 */
export class Turns {
  private wanted = false;
  private running: Promise<void> | undefined;
  private stopped = false;
  private owedMs = 0;
  private endedAt = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    /** Must not reject. */
    private readonly task: () => Promise<void>,
  ) {}

  want(): void {
    this.wanted = true;
    this.schedule();
  }

  /** Settles when the turn under way has ended; no other begins. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.running;
  }

  private schedule(): void {
    if (this.stopped || !this.wanted || this.running !== undefined || this.cancel !== undefined) return;
    const restMs = this.stillOwedMs() - lentMs;
    if (restMs > 0) {
      this.cancel = this.clock.after(restMs, () => this.run());
    } else {
      const soon = setImmediate(() => this.run());
      this.cancel = () => clearImmediate(soon);
    }
  }

  /** What is owed, less the rest since the last turn. A clock that was set back only lets none of it count as one. */
  private stillOwedMs(): number {
    return Math.max(this.owedMs - Math.max(this.clock.now() - this.endedAt, 0), 0);
  }

  private run(): void {
    this.cancel = undefined;
    this.wanted = false;
    this.owedMs = this.stillOwedMs();
    const beganAt = this.clock.now();
    this.running = this.task().finally(() => {
      this.running = undefined;
      this.endedAt = this.clock.now();
      const tookMs = Math.max(this.endedAt - beganAt, 0);
      this.owedMs = Math.min(this.owedMs + Math.min(restFactor * tookMs, longestRestMs), lentMs + longestRestMs);
      this.schedule();
    });
  }
}
