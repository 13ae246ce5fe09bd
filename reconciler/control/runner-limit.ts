import type { MadeRunner } from "../forge/port.js";
import { conditionKey } from "../model/condition.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import { limitReached, runnerLimit } from "../plan/runner-limit.js";
import type { ExecutionContext } from "./execution.js";

/**
 * Makes a runner, and writes down whether the forge is at its limit of runners. Undefined when it is: then surely none was
 * made, and the plan says when one is asked for again.
 */
export async function makingRunner(
  { name }: Connection,
  { ports, writes }: ExecutionContext,
  make: () => Promise<MadeRunner>,
): Promise<MadeRunner | undefined> {
  const key = conditionKey(runnerLimit(name));
  try {
    const made = await make();
    await writes.update("condition", key, (known) => (known === undefined ? undefined : null));
    return made;
  } catch (caught) {
    if (!(caught instanceof FireRunnerError) || caught.code !== "FR-FORGE-RUNNER-LIMIT") throw caught;
    const now = ports.clock.now();
    const isNew = ports.store.get("condition", key) === undefined;
    const event = { at: now, type: "RunnerLimitReached", subject: { kind: "connection", name }, message: caught.message };
    await writes.update("condition", key, (known) => limitReached(name, known, caught.message, now), isNew ? [event] : []);
    return undefined;
  }
}

/** One of our runners is gone, so there is room for another: it is asked for at once. */
export async function noteRoom({ name }: Connection, { ports, writes }: ExecutionContext): Promise<void> {
  const now = ports.clock.now();
  await writes.update("condition", conditionKey(runnerLimit(name)), (known) =>
    known?.until === undefined || known.until <= now ? undefined : { ...known, until: now },
  );
}
