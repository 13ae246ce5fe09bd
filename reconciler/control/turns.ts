import type { Clock } from "../model/clock.js";

/** So many times as long as a turn is the rest after it. */
const restFactor = 3;
/** The longest rest between two turns. */
const longestRestMs = 50;

/**
 * Runs one task again and again, whenever it is wanted and never twice at once. What is wanted in one go is one turn:
 * it begins when everything that happens right now has happened. After a turn that took long, the next one waits three
 * times as long, so that a busy loop leaves most of the time to those that it works for, and does much in one turn.
 */
export class Turns {
  private wanted = false;
  private running: Promise<void> | undefined;
  private stopped = false;
  private restUntil = 0;
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
    // A rest that is longer than any can be comes of a clock that was set back.
    const restMs = Math.min(this.restUntil - this.clock.now(), longestRestMs);
    if (restMs > 0) {
      this.cancel = this.clock.after(restMs, () => this.run());
    } else {
      const soon = setImmediate(() => this.run());
      this.cancel = () => clearImmediate(soon);
    }
  }

  private run(): void {
    this.cancel = undefined;
    this.wanted = false;
    const beganAt = this.clock.now();
    this.running = this.task().finally(() => {
      this.running = undefined;
      const now = this.clock.now();
      this.restUntil = now + Math.min(restFactor * Math.max(now - beganAt, 0), longestRestMs);
      this.schedule();
    });
  }
}
