import { FireRunnerError } from "../../model/errors.js";

/** At most `concurrency` pieces of work at a time under one key, at most `queue` waiting; first come, first served. */
export interface Limiter {
  /** Waits for a place, then runs `work`; an aborted signal ends the waiting with its reason. */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Lane {
  busy: number;
  readonly waiting: Set<() => void>;
}

export function createLimiter(concurrency: number, queue: number): Limiter {
  const lanes = new Map<string, Lane>();

  const leave = (key: string, lane: Lane) => {
    const [next] = lane.waiting;
    if (next !== undefined) return next();
    lane.busy -= 1;
    if (lane.busy === 0) lanes.delete(key);
  };

  return {
    async run(key, signal, work) {
      const lane = lanes.get(key) ?? { busy: 0, waiting: new Set() };
      lanes.set(key, lane);
      if (lane.busy < concurrency) lane.busy += 1;
      else if (lane.waiting.size >= queue) throw fullError(key, queue);
      else await place(lane, signal);
      try {
        return await work();
      } finally {
        leave(key, lane);
      }
    },
  };
}

/** Resolves when a place was handed over, which stays counted as busy meanwhile. */
function place(lane: Lane, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      lane.waiting.delete(handed);
      reject(signal.reason);
    };
    const handed = () => {
      lane.waiting.delete(handed);
      signal.removeEventListener("abort", aborted);
      resolve();
    };
    lane.waiting.add(handed);
    signal.addEventListener("abort", aborted, { once: true });
  });
}

function fullError(key: string, queue: number): FireRunnerError {
  return new FireRunnerError("FR-FORGE-UNREACHABLE", `${key}: ${queue} requests wait already; the forge answers too slowly`, {
    retryable: true,
    details: { sent: false },
  });
}
