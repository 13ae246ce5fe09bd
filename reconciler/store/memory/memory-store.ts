import type { Clock, Random } from "../../model/clock.js";
import type { FireRunnerError } from "../../model/errors.js";
import { defaultEventRetention } from "../event-log.js";
import { GroupedStore, type Journal } from "../grouped-store.js";
import { emptyContents, Mirror } from "../mirror.js";
import type { Store } from "../port.js";
import { warnOfFault } from "../watchers.js";

export interface MemoryStoreOptions {
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  /** How many events are kept; 50,000 when left out. */
  readonly eventRetention?: number;
  /** Hears of watchers that threw; without it they become warnings of the process. */
  readonly onFault?: (error: FireRunnerError) => void;
}

const forgetful: Journal = { write: () => {}, close: () => {} };

/** A store that ends with its process: for tests, simulations and trials. Commits settle within the same turn of the event loop. */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  const { clock, random, onFault = warnOfFault, eventRetention = defaultEventRetention } = options;
  const mirror = new Mirror(emptyContents, eventRetention);
  return new GroupedStore({ mirror, journal: forgetful, clock, random, schedule: queueMicrotask, onFault });
}
