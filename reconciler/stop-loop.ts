import type { Clock } from "./model/clock.js";

/** How long calls that are under way may take when the service stops: most are answered sooner. */
export const callGraceMs = 3_000;

/** Something that can be stopped. */
interface Part {
  stop(): Promise<void>;
}

/**
 * Stops the loop, which waits for its calls. Those that a forge or host does not answer within the grace are ended by
 * stopping the `clients` that they were made with: what was asked for in vain is found out at the next start, and whoever
 * stops a service would kill it rather than wait for each call's own deadline.
 */
export async function stopLoop(clock: Pick<Clock, "after">, loop: Part, clients: readonly Part[]): Promise<void> {
  let ended: Promise<unknown> = Promise.resolve();
  const cancel = clock.after(callGraceMs, () => {
    ended = Promise.allSettled(clients.map((client) => client.stop()));
  });
  try {
    await loop.stop();
  } finally {
    cancel();
  }
  await ended;
}
