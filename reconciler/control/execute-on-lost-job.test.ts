import { describe, expect, it } from "vitest";
import type { ForgeJob, ForgePort } from "../forge/port.js";
import { conditionKey } from "../model/condition.js";
import { FireRunnerError } from "../model/errors.js";
import type { Job } from "../model/job.js";
import type { Effect } from "../plan/effect.js";
import { aConnection, aJob, now } from "../plan/snapshot.fixture.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import { execute } from "./execute.js";
import { LeaderWrites } from "./leader-writes.js";
import type { ControlPorts } from "./ports.js";
import { SoftState } from "./soft-state.js";

const id = { connection: "forge", projectId: 7, jobId: 1 } as const;
const loss = { at: now - 9_000, code: "FR-GUEST-LOST", message: "silence", policy: "cancel-and-retry" } as const;
const lost = (job: Partial<Job> = {}): Job =>
  aJob({ status: "running", runnerId: 100, vm: "vm-one", pool: "pool", pipelineId: 5, vmLoss: loss, ...job });
const told = (job: Partial<ForgeJob> = {}): ForgeJob => ({
  ...{ projectId: 7, jobId: 1, name: "test", stage: "test", pipelineId: 5, ref: "main", status: "running", tags: ["vm"] },
  ...{ protected: false, allowFailure: false, runnerId: 100, createdAt: undefined, queuedAt: undefined },
  ...{ startedAt: undefined, finishedAt: undefined, url: "https://gitlab.example.com/g/p/-/jobs/1" },
  ...job,
});
const refusal = new FireRunnerError("FR-FORGE-UNAUTHORIZED", "cancelling job 1: the token needs the scope api", {
  details: { status: 403 },
});
const refusedKey = conditionKey({ subject: { kind: "connection", name: "forge" }, type: "EndsLostJobs" });

/** A store with one job whose microVM was lost, and one effect after the other against a forge. */
async function aLostJob(job: Job = lost()) {
  const clock = new VirtualClock(now);
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const lease = await store.acquireLease("test", 60_000);
  const connection = { spec: aConnection(), generation: 1, order: 0, declaredAt: now };
  await store.commit({
    writes: [
      { kind: "connection", key: "forge", value: connection, expect: "any" },
      { kind: "job", key: "forge/7/1", value: job, expect: "any" },
    ],
  });
  const settings = { owner: "owner", holder: "test", schedules: { pollMs: 1, pollHealthyMs: 1, listHostsMs: 1, sweepMs: 1, settleMs: 1 } };
  const writes = new LeaderWrites(store, lease?.epoch ?? "", () => {});
  return {
    carryOut: (effect: Effect, answers: Partial<ForgePort>) => {
      const ports = { store, forge: answers, clock, random: new SeededRandom(2) } as unknown as ControlPorts;
      return execute(effect, { ports, settings, soft: new SoftState(), writes });
    },
    job: () => store.get("job", "forge/7/1")?.value,
    retry: () => store.get("job", "forge/7/2")?.value,
    refused: () => store.get("condition", refusedKey)?.value,
    events: async () => (await store.events({ after: 0, limit: 100 })).map(({ type, message }) => `${type}: ${message}`),
  };
}

describe("a loss that is to be confirmed", () => {
  it("is told, with the job's URL and the policy, when the forge says that the job runs", async () => {
    const world = await aLostJob();
    await world.carryOut({ kind: "confirmLoss", ...id }, { readJob: async () => told() });
    expect(world.job()?.vmLoss).toMatchObject({ confirmedAt: now, url: told().url });
    expect(await world.events()).toEqual([
      expect.stringMatching(/^JobLost: its microVM "vm-one" was lost \(FR-GUEST-LOST: silence\).*\/-\/jobs\/1; .*"cancel-and-retry"$/),
    ]);
  });

  it.each<[string, Partial<ForgeJob>]>([
    ["the job has ended", { status: "success" }],
    ["another runner has it", { runnerId: 101 }],
  ])("was none when %s", async (_what, job) => {
    const world = await aLostJob();
    await world.carryOut({ kind: "confirmLoss", ...id }, { readJob: async () => told(job) });
    expect(world.job()).toBeDefined();
    expect(world.job()?.vmLoss).toBeUndefined();
    expect(await world.events()).toEqual([]);
  });

  it("is forgotten with a job that the forge does not know, as when its project was deleted", async () => {
    const world = await aLostJob();
    await world.carryOut({ kind: "confirmLoss", ...id }, { readJob: async () => undefined });
    expect(world.job()).toBeUndefined();
  });
});

describe("a lost job", () => {
  const confirmed = lost({ vmLoss: { ...loss, confirmedAt: now - 1_000, cancelAskedAt: now - 500 } });
  const cancelJob = (force = false) => ({ kind: "cancelJob", ...id, force }) as const;

  it("is known as what the forge made of it", async () => {
    const world = await aLostJob(confirmed);
    expect(await world.carryOut(cancelJob(), { cancelJob: async () => told({ status: "canceling" }) })).toBe("done");
    expect(world.job()).toMatchObject({ status: "canceling", vmLoss: { confirmedAt: now - 1_000 } });
  });

  it("is not cancelled when it has ended meanwhile", async () => {
    const world = await aLostJob({ ...confirmed, status: "success" });
    const cancel = async (): Promise<never> => {
      throw new Error("it was asked for");
    };
    expect(await world.carryOut(cancelJob(), { cancelJob: cancel })).toBe("done");
  });

  it("is left to the forge when the token may not cancel it, and its connection says which call needs what", async () => {
    const world = await aLostJob(confirmed);
    await world.carryOut(cancelJob(), { cancelJob: () => Promise.reject(refusal) });
    expect(world.job()?.vmLoss?.givenUp).toEqual({ code: "FR-FORGE-UNAUTHORIZED", message: refusal.message });
    expect(world.refused()).toMatchObject({ status: false, reason: "FR-FORGE-UNAUTHORIZED", message: refusal.message });
    expect(await world.events()).toEqual([expect.stringContaining("LostJobLeft: it is left to the forge: FR-FORGE-UNAUTHORIZED")]);
  });

  it("is cancelled with a token that may, and then its connection says nothing any more", async () => {
    const world = await aLostJob(confirmed);
    await world.carryOut(cancelJob(), { cancelJob: () => Promise.reject(refusal) });
    await world.carryOut(cancelJob(), { cancelJob: async () => told({ status: "canceled" }) });
    expect(world.refused()).toBeUndefined();
  });

  it.each([
    ["out of reach", new FireRunnerError("FR-FORGE-UNREACHABLE", "no answer", { retryable: true })],
    ["refusing the token altogether", new FireRunnerError("FR-FORGE-UNAUTHORIZED", "expired", { details: { status: 401 } })],
  ])("is asked for again while the forge is %s", async (_what, error) => {
    const world = await aLostJob(confirmed);
    await expect(world.carryOut(cancelJob(), { cancelJob: () => Promise.reject(error) })).rejects.toBe(error);
    expect(world.job()?.vmLoss?.givenUp).toBeUndefined();
  });

  it("is left to a forge that does not know force", async () => {
    const world = await aLostJob({ ...confirmed, status: "canceling" });
    await world.carryOut(cancelJob(true), { cancelJob: async () => told({ status: "canceling" }) });
    expect(world.job()?.vmLoss?.givenUp?.message).toMatch(/does not cancel it by force/);
  });

  it("is retried, and the new job is known at once", async () => {
    const cancelled = lost({ status: "canceled", vmLoss: { ...loss, confirmedAt: now, cancelAskedAt: now, retryAskedAt: now } });
    const world = await aLostJob(cancelled);
    const asked: unknown[] = [];
    const retryJob: ForgePort["retryJob"] = async (_connection, job) => {
      asked.push(job);
      return told({ jobId: 2, status: "pending", runnerId: undefined });
    };
    await world.carryOut({ kind: "retryJob", ...id }, { retryJob });
    expect(asked).toEqual([{ projectId: 7, jobId: 1, name: "test", pipelineId: 5 }]);
    expect(world.job()?.vmLoss?.retriedAs).toBe(2);
    expect(world.retry()).toMatchObject({ status: "pending" });
    expect(await world.events()).toEqual([expect.stringContaining("JobRetried: its microVM was lost: it is retried, as job 2")]);
  });
});
