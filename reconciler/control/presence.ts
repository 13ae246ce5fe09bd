import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import type { Presence } from "../model/presence.js";
import type { Effect } from "../plan/effect.js";
import type { Execution, ExecutionContext } from "./execution.js";
import { makingRunner, noteRoom } from "./runner-limit.js";

type Tending = Extract<Effect, { kind: "tendPresence" }>;

/** Takes a presence runner through one step. A step that finds it missing removes its record: another is made where one is needed. */
export async function tendPresence(
  connection: Connection,
  { presence: name, step }: Tending,
  context: ExecutionContext,
): Promise<Execution> {
  const presence = context.ports.store.get("presence", name)?.value;
  if (presence === undefined) return "done";
  switch (step) {
    case "make":
    case "remake":
      return make(connection, presence, step === "remake", context);
    case "contact":
      return contact(connection, presence, context);
    case "pause":
    case "unpause":
      return turn(connection, presence, step, context);
    case "remove":
      return remove(connection, presence, context);
  }
}

async function make(connection: Connection, presence: Presence, findFirst: boolean, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  if (presence.state !== "wanted") return "done";
  const { name, description, tags, runUntagged, protectedOnly } = presence;
  if (findFirst) await deleteFound(connection, description, context);
  const request = { description, tags, runUntagged, protectedOnly, maxJobTimeoutS: leastTimeoutS, paused: true };
  const made = await makingRunner(connection, context, () => ports.forge.makeRunner(connection, request));
  if (made === undefined) return "done";
  const sealedToken = ports.sealer.seal(made.token, sealedFor(name));
  await writes.update("presence", name, (current) => {
    if (current === undefined) return undefined;
    return current.state === "leaving"
      ? { ...current, runnerId: made.runnerId, forge: connection.url }
      : { ...current, state: "paused", runnerId: made.runnerId, forge: connection.url, sealedToken };
  });
  return "done";
}

/** The forge's own answer to a runner that is paused; a job that it gave all the same is failed, and the runner goes. */
async function contact(connection: Connection, presence: Presence, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const { name, state, sealedToken } = presence;
  if (state !== "paused") return "done";
  const token = opened(sealedToken, name, context);
  if (token === undefined) {
    // The service has another key now: one whose token it can read takes its place.
    await writes.update("presence", name, (current) => (current === undefined ? undefined : { ...current, state: "leaving" }));
    return "done";
  }
  const heardAt = ports.clock.now();
  const heard = await ports.forge.showRunner(connection, token);
  if (heard.state === "absent") return forget(presence, context);
  if (heard.state === "heard") {
    await writes.update("presence", name, (current) => (current?.state === "paused" ? { ...current, state: "heard", heardAt } : undefined));
    return "done";
  }
  const outcome = heard.ended ? "it was failed at once (runner_system_failure)" : "it could not be failed: cancel it";
  return giveUp(presence, heard.jobId, outcome, context);
}

function opened(sealedToken: string | undefined, name: string, { ports }: ExecutionContext): string | undefined {
  if (sealedToken === undefined) return undefined;
  try {
    return ports.sealer.open(sealedToken, sealedFor(name));
  } catch (caught) {
    if (caught instanceof FireRunnerError && caught.code === "FR-STORE-SEALED") return undefined;
    throw caught;
  }
}

/** It was given a job, which must never be: it goes, and that is told of. */
async function giveUp(
  { name, connection, pool, size }: Presence,
  jobId: number,
  outcome: string,
  { ports, writes }: ExecutionContext,
): Promise<Execution> {
  const event = {
    at: ports.clock.now(),
    type: "PresenceRunnerGivenJob",
    subject: { kind: "connection", name: connection },
    message: `the paused presence runner of pool "${pool}", size "${size}" was given job ${jobId}; ${outcome}`,
  };
  await writes.update("presence", name, (current) => (current === undefined ? undefined : { ...current, state: "leaving" }), [event]);
  return "done";
}

async function turn(connection: Connection, presence: Presence, step: "pause" | "unpause", context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const { name, runnerId } = presence;
  const [from, to] = step === "pause" ? (["present", "paused"] as const) : (["heard", "present"] as const);
  if (presence.state !== from) return "done";
  if (runnerId === undefined) return forget(presence, context);
  if (step === "unpause") {
    // The answer that held a job may have been lost, and its token with it.
    const [job] = await ports.forge.runningJobs(connection, runnerId);
    if (job !== undefined) return giveUp(presence, job.jobId, "the answer was lost: cancel it", context);
  }
  const answer =
    step === "pause" ? await ports.forge.pauseRunner(connection, runnerId) : await ports.forge.unpauseRunner(connection, runnerId);
  if (answer === "absent") return forget(presence, context);
  await writes.update("presence", name, (current) => (current?.state === from ? { ...current, state: to } : undefined));
  return "done";
}

async function remove(connection: Connection, presence: Presence, context: ExecutionContext): Promise<Execution> {
  const { runnerId, description } = presence;
  if (runnerId !== undefined) {
    await context.ports.forge.deleteRunner(connection, runnerId);
    await noteRoom(connection, context);
    return forget(presence, context);
  }
  try {
    await deleteFound(connection, description, context);
  } catch (caught) {
    // The project or group is gone, and its runners with it.
    if (!(caught instanceof FireRunnerError) || caught.code !== "FR-FORGE-NOT-FOUND") throw caught;
  }
  return forget(presence, context);
}

/** The forge does not have it (any more). */
async function forget({ name }: Presence, { writes }: ExecutionContext): Promise<Execution> {
  await writes.update("presence", name, (current) => (current === undefined ? undefined : null));
  return "done";
}

async function deleteFound(connection: Connection, description: string, { ports }: ExecutionContext): Promise<void> {
  for (const { runnerId } of await ports.forge.findRunners(connection, description)) await ports.forge.deleteRunner(connection, runnerId);
}

/** It runs nothing; forges accept no less. */
const leastTimeoutS = 600;

const sealedFor = (name: string): string => `presence/${name}`;
