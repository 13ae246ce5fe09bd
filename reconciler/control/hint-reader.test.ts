import { expect, it } from "vitest";
import type { Job } from "../model/job.js";
import type { Effect } from "../plan/effect.js";
import { aConnection, aJob, now } from "../plan/snapshot.fixture.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Write } from "../store/port.js";
import { HintReader } from "./hint-reader.js";
import { SoftState } from "./soft-state.js";

const key = "forge/7/1";
const hint = (jobId?: number): Write => ({
  kind: "hint",
  key: jobId === undefined ? "forge/7" : `forge/7/${jobId}`,
  value: { connection: "forge", projectId: 7, firstSeenAt: now, hookedAt: now, ...(jobId === undefined ? {} : { jobId }) },
  expect: "any",
});
const job = (value: Partial<Job>): Write => ({ kind: "job", key, value: aJob(value), expect: "any" });
const letter: Write = {
  kind: "deadLetter",
  key: `readJob:${key}`,
  value: {
    action: "readJob",
    target: { connection: "forge", projectId: 7, jobId: 1 },
    tried: "when-asked",
    attempts: 12,
    firstFailureAt: now,
    lastFailureAt: now,
    parkedAt: now,
    failures: [{ at: now, code: "FR-FORGE-UNREACHABLE", message: "no answer" }],
  },
  expect: "any",
};

async function aReader(records: readonly Write[], hasRoom = true) {
  const clock = new VirtualClock(now);
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const declared = { spec: aConnection(), generation: 1, order: 0, declaredAt: now };
  await store.commit({ writes: [{ kind: "connection", key: "forge", value: declared, expect: "any" }, ...records] });
  const soft = new SoftState();
  const begun: Effect[] = [];
  const effects = { begin: (effect: Effect) => void begun.push(effect), isFree: () => hasRoom };
  return { reader: new HintReader(store, soft, clock, effects), soft, begun };
}

it("begins to read the job of a hint at once, and remembers that a webhook came", async () => {
  const { reader, soft, begun } = await aReader([hint(1), job({ status: "pending" })]);
  expect(reader.follow(key)).toBe(true);
  expect(begun).toEqual([{ kind: "readJob", connection: "forge", projectId: 7, jobId: 1 }]);
  expect(soft.polls.hookedAt("forge")).toBe(now);
});

it.each<[string, readonly Write[]]>([
  ["is gone", []],
  ["is of a job that is over", [hint(1), job({ status: "success" })]],
  ["is of a job that could not be read again and again", [hint(1), letter]],
])("leaves a hint to the next pass that %s", async (_what, records) => {
  const { reader, begun } = await aReader(records);
  expect(reader.follow(key)).toBe(false);
  expect(begun).toEqual([]);
});

it("leaves a hint to the next pass that names a whole project, or a job of one that is being read", async () => {
  const { reader, soft, begun } = await aReader([hint(1), hint()]);
  expect(reader.follow("forge/7")).toBe(false);
  soft.begin("poll:forge/7");
  expect(reader.follow(key)).toBe(false);
  expect(begun).toEqual([]);
});

it("leaves a hint to the next pass while as many jobs are read as are read side by side", async () => {
  const { reader, begun } = await aReader([hint(1)], false);
  expect(reader.follow(key)).toBe(false);
  expect(begun).toEqual([]);
});
