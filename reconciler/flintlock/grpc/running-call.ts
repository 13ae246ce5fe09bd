import type { Clock } from "../../model/clock.js";
import type { CallFailure } from "./failures.js";

/** A call under way, its repetitions included, which its deadline or the stop of the service may end. */
export class RunningCall {
  /** Resolves when the call is over. */
  readonly settled: Promise<void>;
  /** Why it was ended from outside. */
  ended: CallFailure | undefined;
  private readonly controller = new AbortController();
  private markSettled: () => void = () => undefined;

  constructor() {
    this.settled = new Promise((resolve) => {
      this.markSettled = resolve;
    });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(why: CallFailure): void {
    this.ended ??= why;
    this.controller.abort();
  }

  settle(): void {
    this.markSettled();
  }

  /** Waits; ends early when the call is ended. */
  pause(clock: Clock, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const stopWaiting = () => {
        takeBack();
        resolve();
      };
      const takeBack = clock.after(delayMs, () => {
        this.signal.removeEventListener("abort", stopWaiting);
        resolve();
      });
      this.signal.addEventListener("abort", stopWaiting, { once: true });
    });
  }
}
