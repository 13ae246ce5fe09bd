import type { ForgePort, ForgeRunner } from "../forge/port.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import { hintKey } from "../model/front-door.js";
import type { Identity } from "../model/identity.js";
import type { Effect } from "../plan/effect.js";
import { checkConnection } from "./check-connection.js";
import { type Execution, type ExecutionContext, needed } from "./execution.js";
import { followed, learn } from "./learn-job.js";
import { poll } from "./poll-jobs.js";
import { tendPresence } from "./presence.js";
import { readProtectedRefs } from "./read-protected-refs.js";
import { makingRunner, noteRoom } from "./runner-limit.js";
import { sweepRunners } from "./sweep-runners.js";

type ForgeEffect = Exclude<Effect, { readonly host: string } | { readonly kind: "confirmLoss" | "cancelJob" | "retryJob" }>;
type RunnerEffect = Extract<ForgeEffect, { readonly runnerId: number }>;

/** Carries out what goes to a forge. */
export async function executeOnForge(effect: ForgeEffect, context: ExecutionContext): Promise<Execution> {
  const connection = needed(context.ports.store.get("connection", effect.connection), `connection "${effect.connection}"`);
  switch (effect.kind) {
    case "readJob":
      return readJob(connection, effect, context);
    case "poll":
      return poll(connection, effect, context);
    case "readProtectedRefs":
      return readProtectedRefs(connection, effect, context);
    case "sweepRunners":
      return sweepRunners(connection, context);
    case "checkConnection":
      return checkConnection(connection, context);
    case "tendPresence":
      return tendPresence(connection, effect, context);
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
  const also = () => followed(key, hintRevision, context);
  if (read === undefined) await writes.update("job", key, (known) => (known === undefined ? undefined : null), [], also);
  else await learn(connection, read, readAt, context, also);
  return "done";
}

async function makeRunner(
  connection: Connection,
  effect: Extract<Effect, { kind: "makeRunner" }>,
  context: ExecutionContext,
): Promise<Execution> {
  const { ports, writes } = context;
  const identity = ports.store.get("identity", effect.vm)?.value;
  if (identity === undefined || identity.state !== "wanted") return "done";
  if (effect.findFirst) {
    const found = await ports.forge.findRunners(connection, identity.description);
    for (const { runnerId } of found) await ports.forge.deleteRunner(connection, runnerId);
  }
  const { description, tags, runUntagged, protectedOnly, maxJobTimeoutS } = identity;
  const made = await makingRunner(connection, context, () =>
    ports.forge.makeRunner(connection, { description, tags, runUntagged, protectedOnly: protectedOnly === true, maxJobTimeoutS }),
  );
  if (made === undefined) {
    // The try does not count: surely nothing was made.
    await writes.update("identity", effect.vm, (current) =>
      current?.state === "wanted" ? { ...current, attempts: Math.max(0, current.attempts - 1) } : undefined,
    );
    return "done";
  }
  const sealedToken = ports.sealer.seal(made.token, `identity/${effect.vm}`);
  await writes.update("identity", effect.vm, (current) => {
    // A sweep may have found meanwhile that it had one all along: then this is a second one, which the next sweep removes.
    if (current === undefined || (current.state === "leaving" && current.runnerId !== undefined)) return undefined;
    return current.state === "leaving"
      ? { ...current, runnerId: made.runnerId, forge: connection.url }
      : { ...current, state: "ready", runnerId: made.runnerId, forge: connection.url, sealedToken };
  });
  return "done";
}

async function findRunner(connection: Connection, vm: string, { ports, writes }: ExecutionContext): Promise<Execution> {
  const identity = ports.store.get("identity", vm)?.value;
  if (identity === undefined) return "done";
  const found = await findOrGone(connection, identity, ports.forge);
  const first = found.find((runner) => runner.description === identity.description);
  await writes.update("identity", vm, (current) => {
    if (current === undefined || current.runnerId !== undefined) return undefined;
    return first === undefined ? { ...current, absent: true } : { ...current, runnerId: first.runnerId, forge: connection.url };
  });
  return "done";
}

/**
 * A project or group that was deleted has no list of runners, and they went with it. Its microVM waits for an answer all the
 * same, as it may only be out of sight; once that is gone nothing depends on it, and a sweep finds what comes into sight again.
 */
async function findOrGone(connection: Connection, { description, vmGoneAt }: Identity, forge: ForgePort): Promise<readonly ForgeRunner[]> {
  try {
    return await forge.findRunners(connection, description);
  } catch (caught) {
    if (vmGoneAt !== undefined && caught instanceof FireRunnerError && caught.code === "FR-FORGE-NOT-FOUND") return [];
    throw caught;
  }
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
      await noteRoom(connection, context);
      return "done";
  }
}
