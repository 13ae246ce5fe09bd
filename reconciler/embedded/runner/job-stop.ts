/** Why a job is stopped before its script has ended. */
export type StopReason = "cancel" | "timeout" | "terminate" | "abort";

/**
 * Stops a job. A cancelled one still runs its after_script; for every other reason nothing more is run. The job is
 * told of the weightiest reason that was given.
 */
export class JobStop {
  private given: StopReason | undefined;
  private readonly scripts = new AbortController();
  private readonly everything = new AbortController();

  /** Given when scripts are to stop. */
  readonly scriptSignal = this.scripts.signal;
  /** Given when nothing more is to run. */
  readonly signal = this.everything.signal;

  get reason(): StopReason | undefined {
    return this.given;
  }

  stop(reason: StopReason): void {
    if (this.given === undefined || weight[reason] > weight[this.given]) this.given = reason;
    this.scripts.abort();
    if (reason !== "cancel") this.everything.abort();
  }
}

const weight: Readonly<Record<StopReason, number>> = { cancel: 0, timeout: 1, terminate: 2, abort: 3 };
