import type { ForgeRunner } from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import { parseRunnerDescription } from "../model/identity.js";
import type { Presence } from "../model/presence.js";
import type { Execution, ExecutionContext } from "./execution.js";

/** How many runners that a sweep did not find are asked for one by one; the next sweep goes on. */
const maxAsked = 20;

/**
 * Finds runners that bear our mark and that no record knows: they are taken into the ordinary removal. That holds for the
 * presence runners of a store that was lost, too. Records whose runner is missing learn that somebody deleted it, and those of presence
 * runners that it is paused although it is to be seen.
 */
export async function sweepRunners(connection: Connection, context: ExecutionContext): Promise<Execution> {
  const { ports, settings, soft } = context;
  const made = madeRunners(connection, context);
  const seen = presencesToBeSeen(connection, context);
  const found = await ports.forge.findRunners(connection, `firerunner/${settings.owner}/`);
  for (const runner of found) {
    await judge(connection, runner, context);
    if (runner.paused) await notePaused(seen.get(runner.runnerId), context);
  }
  const present = new Set(found.map(({ runnerId }) => runnerId));
  for (const { key, runnerId } of made.filter((one) => !present.has(one.runnerId)).slice(0, maxAsked)) {
    // A list in pages passes over one now and then, when another was deleted meanwhile.
    if ((await ports.forge.readRunner(connection, runnerId)) === undefined) await noteDeleted(key, runnerId, context);
  }
  const now = ports.clock.now();
  soft.noteForgeRead(connection.name, { readAt: now, sweptAt: now });
  return "done";
}

interface Made {
  readonly key: string;
  readonly runnerId: number;
}

/** The runners that exist as far as is known, and that nobody of ours removes. */
function madeRunners(connection: Connection, { ports: { store } }: ExecutionContext): readonly Made[] {
  const made: Made[] = [];
  for (const { key, value } of store.list("identity")) {
    if (value.connection === connection.name && value.state === "ready" && value.runnerId !== undefined && value.absent !== true)
      made.push({ key, runnerId: value.runnerId });
  }
  for (const { key, value } of store.list("presence")) {
    if (value.connection === connection.name && value.state !== "leaving" && value.runnerId !== undefined)
      made.push({ key, runnerId: value.runnerId });
  }
  return made;
}

/** The presence runners that are on record as unpaused, by their ids. */
function presencesToBeSeen(connection: Connection, { ports: { store } }: ExecutionContext): ReadonlyMap<number, Presence> {
  const ours = store.list("presence").filter(({ value }) => value.connection === connection.name && value.state === "present");
  return new Map(ours.flatMap(({ value }) => (value.runnerId === undefined ? [] : [[value.runnerId, value]])));
}

/**
 * A process died over its pause, or somebody else paused it: it is heard and unpaused again. What the record says since then is
 * newer than the list.
 */
async function notePaused(presence: Presence | undefined, { writes }: ExecutionContext): Promise<void> {
  if (presence === undefined) return;
  await writes.update("presence", presence.name, (current) => (current === presence ? { ...current, state: "paused" } : undefined));
}

async function judge(connection: Connection, { runnerId, description }: ForgeRunner, context: ExecutionContext): Promise<void> {
  const { ports, settings } = context;
  const parts = parseRunnerDescription(settings.owner, description);
  // After the loss of a store, what is not declared again yet is left alone.
  if (parts === undefined || ports.store.get("pool", parts.pool) === undefined) return;
  const known = ports.store.get("identity", parts.vm)?.value ?? ports.store.get("presence", parts.vm)?.value;
  if (known === undefined) await adopt(connection, parts.vm, runnerId, description, context);
  else if (known.runnerId !== runnerId) {
    // A second runner of one description comes of a POST in doubt: nobody saw its token, and it can run nothing.
    const running = await ports.forge.runningJobs(connection, runnerId);
    if (running.length > 0) await takeBack(connection, parts.vm, runnerId, context);
    else if (known.runnerId !== undefined) await ports.forge.deleteRunner(connection, runnerId);
  }
}

/**
 * The runner that runs a job is its microVM's own, whatever is on record: the store was rolled back to before it was made. The other
 * one is the second then, which nobody uses.
 */
async function takeBack(connection: Connection, vm: string, runnerId: number, { ports, writes }: ExecutionContext): Promise<void> {
  const message = `runner ${runnerId} runs a job, and had no record: it is kept until that is over`;
  const event = { at: ports.clock.now(), type: "RunnerAdopted", subject: { kind: "identity", name: vm }, message };
  await writes.update(
    "identity",
    vm,
    (current) => {
      if (current === undefined || current.runnerId === runnerId) return undefined;
      const { sealedToken: _token, pausedAt: _pausedAt, runningJobs: _jobs, absent: _absent, ...rest } = current;
      return { ...rest, state: "leaving", runnerId, forge: connection.url };
    },
    [event],
  );
}

async function adopt(
  connection: Connection,
  vm: string,
  runnerId: number,
  description: string,
  { ports, writes }: ExecutionContext,
): Promise<void> {
  const event = {
    at: ports.clock.now(),
    type: "RunnerAdopted",
    subject: { kind: "identity", name: vm },
    message: `runner ${runnerId} had no record; it is removed`,
  };
  await writes.update(
    "identity",
    vm,
    (current) =>
      current === undefined
        ? {
            vm,
            connection: connection.name,
            description,
            tags: [],
            runUntagged: false,
            maxJobTimeoutS: 3600,
            state: "leaving",
            attempts: 1,
            runnerId,
            forge: connection.url,
          }
        : undefined,
    [event],
  );
}

async function noteDeleted(key: string, runnerId: number, { writes }: ExecutionContext): Promise<void> {
  await writes.update("identity", key, (current) =>
    current?.runnerId === runnerId && current.state === "ready" ? { ...current, absent: true } : undefined,
  );
  // Another presence runner is made where one is needed.
  await writes.update("presence", key, (current) => (current?.runnerId === runnerId && current.state !== "leaving" ? null : undefined));
}
