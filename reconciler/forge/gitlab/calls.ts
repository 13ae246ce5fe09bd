import type { Clock } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Urgency } from "./budget.js";

/** What one call of the port must keep to: every wait inside it ends when `signal` aborts, and throws its reason. */
export interface CallBounds {
  readonly signal: AbortSignal;
  readonly urgency: Urgency;
  /** Milliseconds until the deadline, never below 0. */
  remainingMs(): number;
}

/** The calls that run, so that they can be ended together. */
export interface Calls {
  /** Runs `work` under a deadline; `what` says in the error what was attempted. */
  run<T>(what: string, deadlineMs: number, work: (bounds: CallBounds) => Promise<T>, urgency?: Urgency): Promise<T>;
  /** Refuses new calls, ends the running ones and settles when the last has ended. */
  stop(): Promise<void>;
}

export function createCalls(clock: Clock): Calls {
  const running = new Map<AbortController, Promise<unknown>>();
  let stopped = false;
  const stopError = (what: string) => new FireRunnerError("FR-FORGE-UNREACHABLE", `${what}: not done, because the service stops`);

  return {
    async run(what, deadlineMs, work, urgency = "hot") {
      if (stopped) throw stopError(what);
      const controller = new AbortController();
      const deadlineAt = clock.now() + deadlineMs;
      const cancel = clock.after(deadlineMs, () => controller.abort(lateError(what, deadlineMs)));
      const done = work({ signal: controller.signal, urgency, remainingMs: () => Math.max(0, deadlineAt - clock.now()) });
      running.set(
        controller,
        done.catch(() => undefined),
      );
      try {
        return await done;
      } catch (caught) {
        throw stopped ? stopError(what) : FireRunnerError.from(caught, "FR-INTERNAL", what);
      } finally {
        cancel();
        running.delete(controller);
      }
    },

    async stop() {
      stopped = true;
      const ending = [...running.values()];
      for (const controller of running.keys()) controller.abort(stopError("a call"));
      await Promise.all(ending);
    },
  };
}

function lateError(what: string, deadlineMs: number): FireRunnerError {
  return new FireRunnerError("FR-FORGE-UNREACHABLE", `${what}: not answered within ${deadlineMs / 1000} s`, { retryable: true });
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", aborted);
      resolve();
    });
    signal.addEventListener("abort", aborted, { once: true });
  });
}
