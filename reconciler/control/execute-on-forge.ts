import type { Connection } from "../model/connection.js";
import { hintKey } from "../model/front-door.js";
import { type Identity, parseRunnerDescription } from "../model/identity.js";
import type { Effect } from "../plan/effect.js";
import { checkConnection } from "./check-connection.js";
import { type Execution, type ExecutionContext, needed } from "./execution.js";
import { followed, learn } from "./learn-job.js";
import { poll } from "./poll-jobs.js";

type ForgeEffect = Exclude<Effect, { readonly host: string }>;
type RunnerEffect = Extract<ForgeEffect, { readonly runnerId: number }>;

/** Carries out what goes to a forge. */
export async function executeOnForge(effect: ForgeEffect, context: ExecutionContext): Promise<Execution> {
  const connection = needed(context.ports.store.get("connection", effect.connection), `connection "${effect.connection}"`);
  switch (effect.kind) {
    case "readJob":
      return readJob(connection, effect, context);
    case "poll":
      return poll(connection, effect, context);
    case "sweepRunners":
      return sweep(connection, context);
    case "checkConnection":
      return checkConnection(connection, context);
    case "makeRunner":
      return makeRunner(connection, effect, context);
    case "findRunner":
      return findRunner(connection, effect.vm, context);
    case "pauseRunner":
    case "readRunningJobs":
    case "deleteRunner":
      return onRunner(connection, effect, context);
  }
}

async function readJob(
  connection: Connection,
  effect: Extract<Effect, { kind: "readJob" }>,
  context: ExecutionContext,
): Promise<Execution> {
  const { ports, soft, writes } = context;
  const key = hintKey(effect);
  const hintRevision = ports.store.get("hint", key)?.revision;
  const readAt = ports.clock.now();
  const read = await ports.forge.readJob(connection, effect.projectId, effect.jobId);
  soft.noteForgeRead(connection.name, { readAt: ports.clock.now() });
  if (read === undefined) await writes.update("job", key, (known) => (known === undefined ? undefined : null));
  else await learn(connection, read, readAt, context);
  await followed(key, hintRevision, context);
  return "done";
}

/** Finds runners that bear our mark and that no record knows: they are taken into the ordinary removal. */
async function sweep(connection: Connection, { ports, settings, soft, writes }: ExecutionContext): Promise<Execution> {
  const found = await ports.forge.findRunners(connection, `firerunner/${settings.owner}/`);
  for (const { runnerId, description } of found) {
    const parts = parseRunnerDescription(settings.owner, description);
    // After the loss of a store, what is not declared again yet is left alone.
    if (parts === undefined || ports.store.get("pool", parts.pool) === undefined) continue;
    const known = ports.store.get("identity", parts.vm)?.value;
    if (known === undefined) {
      const leftover = {
        vm: parts.vm,
        connection: connection.name,
        description,
        tags: [],
        runUntagged: false,
        maxJobTimeoutS: 3600,
        state: "leaving",
        attempts: 1,
        runnerId,
      } as const;
      await writes.update("identity", parts.vm, (current) => (current === undefined ? { ...leftover, tags: [] } : undefined), [
        {
          at: ports.clock.now(),
          type: "RunnerAdopted",
          subject: { kind: "identity", name: parts.vm },
          message: `runner ${runnerId} had no record; it is removed`,
        },
      ]);
    } else if (known.runnerId !== undefined && known.runnerId !== runnerId) {
      // A second runner of one description comes of a POST in doubt: nobody saw its token, unless the record is a later one.
      const running = await ports.forge.runningJobs(connection, runnerId);
      if (running.length === 0) await ports.forge.deleteRunner(connection, runnerId);
    }
  }
  const now = ports.clock.now();
  soft.noteForgeRead(connection.name, { readAt: now, sweptAt: now });
  return "done";
}

async function makeRunner(
  connection: Connection,
  effect: Extract<Effect, { kind: "makeRunner" }>,
  { ports, writes }: ExecutionContext,
): Promise<Execution> {
  const identity = ports.store.get("identity", effect.vm)?.value;
  if (identity === undefined || identity.state !== "wanted") return "done";
  if (effect.findFirst) {
    const found = await ports.forge.findRunners(connection, identity.description);
    for (const { runnerId } of found) await ports.forge.deleteRunner(connection, runnerId);
  }
  const { description, tags, runUntagged, maxJobTimeoutS } = identity;
  const made = await ports.forge.makeRunner(connection, { description, tags, runUntagged, maxJobTimeoutS });
  const sealedToken = ports.sealer.seal(made.token, `identity/${effect.vm}`);
  await writes.update("identity", effect.vm, (current) => {
    if (current === undefined) return undefined;
    return current.state === "leaving"
      ? { ...current, runnerId: made.runnerId }
      : { ...current, state: "ready", runnerId: made.runnerId, sealedToken };
  });
  return "done";
}

async function findRunner(connection: Connection, vm: string, { ports, writes }: ExecutionContext): Promise<Execution> {
  const identity = ports.store.get("identity", vm)?.value;
  if (identity === undefined) return "done";
  const found = await ports.forge.findRunners(connection, identity.description);
  const first = found.find((runner) => runner.description === identity.description);
  await writes.update("identity", vm, (current) => {
    if (current === undefined || current.runnerId !== undefined) return undefined;
    return first === undefined ? { ...current, absent: true } : { ...current, runnerId: first.runnerId };
  });
  return "done";
}

async function onRunner(connection: Connection, effect: RunnerEffect, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const { vm, runnerId } = effect;
  const askedAt = ports.clock.now();
  const change = (next: Partial<Identity>) =>
    writes.update("identity", vm, (current) => (current?.runnerId === runnerId ? { ...current, ...next } : undefined));
  switch (effect.kind) {
    case "pauseRunner": {
      const answer = await ports.forge.pauseRunner(connection, runnerId);
      await change(answer === "paused" ? { pausedAt: ports.clock.now() } : { absent: true });
      return "done";
    }
    case "readRunningJobs": {
      const running = await ports.forge.runningJobs(connection, runnerId);
      await Promise.all(running.map((job) => learn(connection, job, askedAt, context)));
      await change({ runningJobs: { count: running.length, at: askedAt } });
      return "done";
    }
    case "deleteRunner":
      await ports.forge.deleteRunner(connection, runnerId);
      await writes.update("identity", vm, (current) => (current?.runnerId === runnerId ? null : undefined));
      return "done";
  }
}
