import { describesPresence, presenceClass } from "../model/presence.js";
import type { SimulatedRunner } from "./forge-workings.js";
import type { World } from "./world.js";

/** Whether a runner is one that only stands for its class. */
export const isPresenceRunner = ({ request }: SimulatedRunner): boolean => describesPresence(request.description);

/** How many presence runners there are when no job waits: one for each pool that keeps microVMs ready. */
export function lastingPresences({ store }: World): number {
  const connections = new Set(store.list("connection").flatMap(({ key, value }) => (value.spec.presenceRunners ? [key] : [])));
  const keeps = store.list("pool").filter(({ value: { spec } }) => [spec, ...spec.idlePolicies].some(({ minIdle }) => minIdle > 0));
  return keeps.filter(({ value: { spec } }) => connections.has(spec.connection)).length;
}

/** None ever takes a job, and no class has two that stay. */
export function checkPresences(world: World): void {
  for (const runner of world.forge.runners.values()) {
    if (runner.took.length > 0 && isPresenceRunner(runner)) world.violate(`presence runner ${runner.request.description} took a job`);
  }
  const staying = world.store.list("presence").flatMap(({ value }) => (value.state === "leaving" ? [] : [presenceClass(value)]));
  if (new Set(staying).size < staying.length) world.violate(`a class has two presence runners: ${staying.join(", ")}`);
}

/** Only those that are needed are left, each as the forge must see it. */
export function checkPresencesAtEnd(world: World): void {
  const lasting = lastingPresences(world);
  const runners = [...world.forge.runners.values()];
  const others = runners.filter((runner) => !isPresenceRunner(runner));
  if (others.length > 0) world.violate(`I5: ${others.length} runners are left`);
  if (runners.length - others.length !== lasting) world.violate(`${runners.length - others.length} presence runners instead of ${lasting}`);
  if (runners.some((runner) => runner.paused)) world.violate("a presence runner was left paused");
  const records = world.store.list("presence");
  if (records.length !== lasting) world.violate(`${records.length} records of presence runners instead of ${lasting}`);
}
