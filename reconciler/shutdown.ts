import type { Clock } from "./model/clock.js";
import { FireRunnerError } from "./model/errors.js";
import type { Logger } from "./telemetry/logger.js";
import { within } from "./within.js";

/** The parts of a service in the order in which they were started. */
export interface Shutdown {
  /** Notes how a part that has just been started is stopped, and how long that may take. */
  add(name: string, deadlineMs: number, stop: () => Promise<unknown> | unknown): void;
  /** Stops the parts, last started first. Each gets its time and no more; what fails is logged and holds nothing up. */
  run(): Promise<void>;
}

export function createShutdown(clock: Pick<Clock, "after">, logger: Logger): Shutdown {
  const parts: { readonly name: string; readonly deadlineMs: number; readonly stop: () => Promise<unknown> | unknown }[] = [];
  let running: Promise<void> | undefined;

  async function stopAll(): Promise<void> {
    for (const { name, deadlineMs, stop } of parts.splice(0).reverse()) {
      try {
        await within(clock, deadlineMs, Promise.resolve(stop()), "FR-INTERNAL", `stopping ${name}`);
        logger.debug({ part: name }, `${name} stopped`);
      } catch (caught) {
        const error = FireRunnerError.from(caught, "FR-INTERNAL", `stopping ${name}`);
        logger.error({ part: name, error }, error.message);
      }
    }
  }

  return {
    add: (name, deadlineMs, stop) => parts.push({ name, deadlineMs, stop }),
    run: () => {
      running ??= stopAll();
      return running;
    },
  };
}
