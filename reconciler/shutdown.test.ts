import { expect, it } from "vitest";
import type { Clock } from "./model/clock.js";
import { createShutdown } from "./shutdown.js";
import { createLogger } from "./telemetry/logger.js";

function world() {
  const timers: { readonly ms: number; readonly fire: () => void }[] = [];
  const clock: Pick<Clock, "after"> = {
    after(ms, fire) {
      timers.push({ ms, fire });
      return () => undefined;
    },
  };
  const lines: string[] = [];
  const logger = createLogger({ level: "info", env: {}, destination: { write: (line) => lines.push(line) } });
  return { shutdown: createShutdown(clock, logger), timers, lines };
}

it("parts stop one after the other, last started first, and once", async () => {
  const { shutdown } = world();
  const stopped: string[] = [];
  for (const name of ["store", "loop", "listener"]) {
    shutdown.add(name, 1000, async () => {
      await Promise.resolve();
      stopped.push(name);
    });
  }
  await Promise.all([shutdown.run(), shutdown.run()]);
  expect(stopped).toEqual(["listener", "loop", "store"]);
});

it("a part that hangs or fails is told in the log and holds nothing up", async () => {
  const { shutdown, timers, lines } = world();
  let storeStopped = false;
  shutdown.add("the store", 1000, () => {
    storeStopped = true;
  });
  shutdown.add("the forge", 1000, () => {
    throw new Error("no reason");
  });
  shutdown.add("the loop", 20_000, () => new Promise(() => undefined));
  const done = shutdown.run();
  expect(timers.map(({ ms }) => ms)).toEqual([20_000]);
  timers[0]?.fire();
  await done;
  expect(storeStopped).toBe(true);
  expect(lines.map((line) => JSON.parse(line).message)).toEqual([
    "stopping the loop took longer than 20 s",
    "stopping the forge failed: no reason",
  ]);
});
