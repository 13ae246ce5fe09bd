import { sharedStoreLease } from "../control/lease-times.js";
import { checkAlways, checkAtEnd, isQuiet } from "./invariants.js";
import type { Script, Step } from "./script.js";
import { World } from "./world.js";

const minute = 60_000;

/** Plays a script in a world of its own: everything in it happens, the faults stop, and then all must become quiet and right. */
export async function play(script: Script): Promise<World> {
  const { fleet, seed } = script;
  const world = new World(seed, checkAlways);
  await world.declare(fleet.hosts, fleet.pools, fleet.connection, fleet.images);
  Object.assign(world.dials, script.dials);
  if (script.isShared) world.lease = sharedStoreLease;
  world.start();
  for (const step of script.steps.values()) world.clock.after(step.atMs, () => take(step, world));
  await world.run(script.stormMs);
  if (world.violations.length > 0) return world;
  world.thaw();
  world.calmDown();
  world.forge.runnerLimit = Number.POSITIVE_INFINITY;
  world.undo();
  // What was set aside is asked for again, as operators would, until nothing more of it comes.
  for (const atMs of [0, minute, 5 * minute]) world.clock.after(atMs, () => world.retryLetters());
  await world.run(30 * minute, () => isQuiet(world));
  // Whatever was late by then has come.
  await world.run(2 * minute);
  await world.run(10 * minute, () => isQuiet(world));
  if (world.violations.length === 0) checkAtEnd(world);
  return world;
}

function take(step: Step, world: World): void {
  const { clock, forge, hosts } = world;
  if (step.kind !== "push") world.note(`step ${JSON.stringify(step)}`);
  switch (step.kind) {
    case "push": {
      const job = forge.push(step.tags, step.durationMs, step.outcome, undefined, step.origin);
      const cancel = () => forge.cancel(job, world.recordOf(job)?.vmLoss !== undefined);
      if (step.cancelAfterMs !== undefined) clock.after(step.cancelAfterMs, cancel);
      return;
    }
    case "cutOffHost":
      return void hosts.cutOff(step.host, step.forMs);
    case "wedgeHost":
      return void hosts.wedge(step.host, step.forMs);
    case "isolateGuests":
      return void world.isolateGuests(step.host, step.forMs);
    case "cutOffForge":
      return void forge.cutOff(step.forMs);
    case "splitBrain":
      world.start();
      return void standStill(world, step.forMs);
    case "freeze":
      return void standStill(world, step.forMs);
    case "startAnother":
      return void world.start();
    case "restart":
      return void world.stop().then(() => world.start());
    case "crash":
      world.crash();
      return void world.start();
    case "loseStore":
      return void world.loseStore();
    case "failOver":
      return void world.failOver(step.lost);
    case "loseLead":
      return void world.failOver(0);
    case "setClock":
      return void world.setClock(step.byMs);
    case "setForgeClock":
      forge.clockAheadMs = step.aheadMs;
      return;
    case "failHostCall":
      world.mayGiveUp = true;
      return void hosts.failCall(step.call, step.forMs);
    case "failForgeCall":
      world.mayGiveUp = true;
      return void forge.failCall(step.call, step.forMs);
    case "limitRunners":
      forge.runnerLimit = step.to;
      return;
    case "deleteRunner": {
      // Not one whose job runs: when the store is lost as well nobody knows any more that it does.
      const idle = [...forge.runners.values()].find(({ took }) => took.length === 0);
      if (idle !== undefined) forge.runners.delete(idle.runnerId);
      return;
    }
    case "operate": {
      if (step.what === "forget") hosts.destroy(step.host, clock.now() + 2 * minute);
      const deadlineAt = step.deadlineAfterMs === undefined ? undefined : clock.now() + step.deadlineAfterMs;
      return void world.operate(step.host, step.what, deadlineAt);
    }
  }
}

function standStill(world: World, forMs: number): void {
  world.freeze();
  world.clock.after(forMs, () => world.thaw());
}
