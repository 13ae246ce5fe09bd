import { describe, expect, it } from "vitest";
import type { ForgeJob, ForgePort, ForgeRunner } from "../forge/port.js";
import type { Effect } from "../plan/effect.js";
import { aConnection, aJob, anIdentity, aPool, now } from "../plan/snapshot.fixture.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Write } from "../store/port.js";
import { execute } from "./execute.js";
import { LeaderWrites } from "./leader-writes.js";
import type { ControlPorts } from "./ports.js";
import { SoftState } from "./soft-state.js";
import { WorldClock, WorldRandom } from "./world-clock.fixture.js";

const told = (job: Partial<ForgeJob>): ForgeJob => ({
  ...{ projectId: 7, jobId: 1, name: "test", stage: "test", pipelineId: undefined, ref: undefined, status: "pending", tags: ["vm"] },
  ...{ protected: false, allowFailure: false, runnerId: undefined, createdAt: undefined, queuedAt: undefined },
  ...{ startedAt: undefined, finishedAt: undefined },
  ...job,
});
const runner = (runnerId: number, vm = "vm-one", pool = "pool"): ForgeRunner => ({
  runnerId,
  description: `firerunner/owner/${pool}/${vm}`,
  paused: false,
});
const declared = <S>(spec: S) => ({ spec, generation: 1, order: 0, declaredAt: now });
const job = (value: ReturnType<typeof aJob>): Write => ({ kind: "job", key: `forge/7/${value.jobId}`, value, expect: "any" });

/** Carries out one effect against a store with these records and a forge with these answers. */
async function carryOut(effect: Effect, answers: Partial<ForgePort>, records: readonly Write[] = []) {
  const clock = new WorldClock(now);
  const store = createMemoryStore({ clock, random: new WorldRandom(1) });
  const lease = await store.acquireLease("test", 60_000);
  await store.commit({
    writes: [
      { kind: "connection", key: "forge", value: declared(aConnection()), expect: "any" },
      { kind: "pool", key: "pool", value: declared(aPool()), expect: "any" },
      ...records,
    ],
  });
  const deleted: number[] = [];
  const forge = {
    runningJobs: async () => [],
    deleteRunner: async (_connection: unknown, runnerId: number) => {
      deleted.push(runnerId);
      return "deleted";
    },
    ...answers,
  };
  const ports = {
    store,
    forge,
    clock,
    sealer: { seal: (text: string) => `sealed:${text}` },
    random: new WorldRandom(2),
  } as unknown as ControlPorts;
  const settings = { owner: "owner", holder: "test", schedules: { pollMs: 1, pollHealthyMs: 1, listHostsMs: 1, sweepMs: 1, settleMs: 1 } };
  const writes = new LeaderWrites(store, lease?.epoch ?? "", () => {});
  await execute(effect, { ports, settings, soft: new SoftState(), writes });
  return {
    deleted,
    job: store.get("job", "forge/7/1")?.value,
    identity: store.get("identity", "vm-one")?.value,
    hints: store.list("hint"),
  };
}

describe("reading a job", () => {
  const readJob = { kind: "readJob", connection: "forge", projectId: 7, jobId: 1 } as const;
  const answering = (read: ForgeJob | undefined) => ({ readJob: async () => read });

  it("learns of one that waits, and of no other that nobody of ours runs", async () => {
    expect((await carryOut(readJob, answering(told({})))).job).toMatchObject({ status: "pending", readAt: now });
    expect((await carryOut(readJob, answering(told({ status: "running", runnerId: 9 })))).job).toBeUndefined();
    const records: Write[] = [{ kind: "identity", key: "vm-one", value: anIdentity({ runnerId: 9 }), expect: "any" }];
    expect((await carryOut(readJob, answering(told({ status: "running", runnerId: 9 })), records)).job).toMatchObject({ runnerId: 9 });
  });

  it.each<[string, ForgeJob | undefined]>([
    ["the forge does not know", undefined],
    ["went back to wait for something else", told({ status: "manual" })],
  ])("forgets one that %s", async (_what, read) => {
    expect((await carryOut(readJob, answering(read), [job(aJob())])).job).toBeUndefined();
  });

  it("does not forget one that went on, for an answer from before", async () => {
    const over = aJob({ status: "success", readAt: now + 10 });
    expect((await carryOut(readJob, answering(told({ status: "created" })), [job(over)])).job).toEqual(over);
  });

  it("removes the hint that it followed", async () => {
    const hint: Write = {
      kind: "hint",
      key: "forge/7/1",
      value: { connection: "forge", projectId: 7, jobId: 1, firstSeenAt: now },
      expect: "any",
    };
    expect((await carryOut(readJob, answering(told({})), [hint])).hints).toEqual([]);
  });
});

describe("polling", () => {
  it("looks one by one at what is no longer waiting or running", async () => {
    const activeJobs = async () => ({ jobs: [told({ jobId: 2 })], projectIds: [7], unread: [] });
    const { hints } = await carryOut({ kind: "poll", connection: "forge" }, { activeJobs }, [job(aJob()), job(aJob({ jobId: 2 }))]);
    expect(hints.map(({ key }) => key)).toEqual(["forge/7/1"]);
  });

  it("says nothing about projects that were not read", async () => {
    const activeJobs = async () => ({ jobs: [], projectIds: [], unread: [] });
    expect((await carryOut({ kind: "poll", connection: "forge" }, { activeJobs }, [job(aJob())])).hints).toEqual([]);
  });
});

describe("sweeping", () => {
  const sweep = { kind: "sweepRunners", connection: "forge" } as const;
  const known: Write = { kind: "identity", key: "vm-one", value: anIdentity({ runnerId: 100 }), expect: "any" };

  it("takes a runner without a record into the ordinary removal", async () => {
    const { identity, deleted } = await carryOut(sweep, { findRunners: async () => [runner(5)] });
    expect(identity).toMatchObject({ state: "leaving", runnerId: 5 });
    expect(deleted).toEqual([]);
  });

  it("leaves those alone whose pool is not declared", async () => {
    expect((await carryOut(sweep, { findRunners: async () => [runner(5, "vm-one", "unknown")] })).identity).toBeUndefined();
  });

  it("deletes the second runner of a microVM, unless it runs something", async () => {
    const findRunners = async () => [runner(100), runner(101)];
    expect((await carryOut(sweep, { findRunners }, [known])).deleted).toEqual([101]);
    const runningJobs = async () => [told({ status: "running", runnerId: 101 })];
    expect((await carryOut(sweep, { findRunners, runningJobs }, [known])).deleted).toEqual([]);
  });
});

describe("making a runner", () => {
  const { runnerId: _runnerId, sealedToken: _token, ...unmade } = anIdentity({ state: "wanted" });
  const wanted: Write = { kind: "identity", key: "vm-one", value: unmade, expect: "any" };

  it("deletes first what an earlier try may have left, when it is not the first", async () => {
    const answers = { findRunners: async () => [runner(7)], makeRunner: async () => ({ runnerId: 8, token: "token" }) };
    const effect = { kind: "makeRunner", vm: "vm-one", connection: "forge", findFirst: true } as const;
    const { deleted, identity } = await carryOut(effect, answers, [wanted]);
    expect(deleted).toEqual([7]);
    expect(identity).toMatchObject({ state: "ready", runnerId: 8, sealedToken: "sealed:token" });
  });
});
