import { expect, it } from "vitest";
import { aHost, aPool } from "../plan/snapshot.fixture.js";
import { calm } from "../simulator/dials.js";
import type { SimulatedJob } from "../simulator/forge-workings.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { World } from "../simulator/world.js";

const minute = 60_000;
const pollMs = 10_000;

/** The middle one of some durations. */
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

it("runs 150 jobs of 20 projects once each although 30 % of the webhooks are lost and 30 % come often, and those that were lost wait for one poll", {
  timeout: 90_000,
}, async () => {
  const world = new World(7, () => {}, { ...calm, hookLost: 0.3, hookDoubled: 0.3 });
  const random = new SeededRandom(77);
  await world.declare(
    Array.from({ length: 4 }, (_, n) =>
      aHost({
        name: `host-${n}`,
        capacity: { vcpu: 200, memoryMb: 400_000, microvms: 200 },
        network: { mode: "static", subnet: `10.${20 + n}.0.0/22`, gateway: `10.${20 + n}.0.1` },
      }),
    ),
    [aPool({ maxMicrovms: 600 })],
  );
  world.start();
  const pushed: SimulatedJob[] = [];
  for (let n = 0; n < 150; n += 1) {
    world.clock.after(random.between(5_000, minute), () => {
      pushed.push(
        world.forge.push(["vm"], random.pick([200, 2_000]), "success", undefined, {
          projectId: random.between(1, 20),
          ref: "main",
          refIsTag: false,
        }),
      );
    });
  }
  const knownAt = new Map<number, number>();
  const hookedAt = new Map<number, number>();
  world.store.watch(({ changed }) => {
    for (const { kind, key } of changed) {
      const jobId = Number(key.split("/").at(-1));
      if (kind === "hint" && world.store.get("hint", key)?.value.hookedAt !== undefined && !hookedAt.has(jobId))
        hookedAt.set(jobId, world.now());
      if (kind === "job" && !knownAt.has(jobId)) knownAt.set(jobId, world.now());
    }
  });
  await world.run(30 * minute, () => pushed.length === 150 && pushed.every(({ status }) => status === "success"));

  expect(world.violations).toEqual([]);
  expect(pushed).toHaveLength(150);
  const once = ["created", "pending", "running", "success"];
  expect(pushed.filter(({ history }) => history.join() !== once.join())).toEqual([]);
  const waits = pushed.map((job) => ({ job, ms: (knownAt.get(job.jobId) ?? Number.NaN) - job.createdAt }));
  const wasTold = ({ job }: (typeof waits)[number]) =>
    (hookedAt.get(job.jobId) ?? Number.POSITIVE_INFINITY) <= (knownAt.get(job.jobId) ?? 0);
  const told = waits.filter(wasTold).map(({ ms }) => ms);
  const found = waits.filter((wait) => !wasTold(wait)).map(({ ms }) => ms);
  expect(found.length).toBeGreaterThan(30);
  expect(median(found) - median(told)).toBeLessThan(pollMs);
  expect(median(told)).toBeLessThan(1_000);
});
