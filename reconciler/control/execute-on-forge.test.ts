import { describe, expect, it } from "vitest";
import type { ForgeJob, ForgePort, ForgeRunner } from "../forge/port.js";
import { FireRunnerError } from "../model/errors.js";
import type { Effect } from "../plan/effect.js";
import { aConnection, aJob, anIdentity, aPool, aPresence, now } from "../plan/snapshot.fixture.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Write } from "../store/port.js";
import { execute } from "./execute.js";
import { LeaderWrites } from "./leader-writes.js";
import type { ControlPorts } from "./ports.js";
import { SoftState } from "./soft-state.js";

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

const unseal = (sealed: string): string => {
  if (sealed.startsWith("sealed:")) return sealed.slice("sealed:".length);
  throw new FireRunnerError("FR-STORE-SEALED", "it was sealed with another key");
};

/** Carries out one effect against a store with these records and a forge with these answers. */
async function carryOut(effect: Effect, answers: Partial<ForgePort>, records: readonly Write[] = []) {
  const clock = new VirtualClock(now);
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
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
    sealer: { seal: (text: string) => `sealed:${text}`, open: unseal },
    random: new SeededRandom(2),
  } as unknown as ControlPorts;
  const settings = { owner: "owner", holder: "test", schedules: { pollMs: 1, pollHealthyMs: 1, listHostsMs: 1, sweepMs: 1, settleMs: 1 } };
  const writes = new LeaderWrites(store, lease?.epoch ?? "", () => {});
  await execute(effect, { ports, settings, soft: new SoftState(), writes });
  return {
    deleted,
    job: store.get("job", "forge/7/1")?.value,
    identity: store.get("identity", "vm-one")?.value,
    presence: store.get("presence", "pr-one")?.value,
    limit: store.get("condition", "connection/forge/RunnerLimit")?.value,
    events: store.events({ after: 0, limit: 100 }).map(({ type }) => type),
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

  it("takes no job for gone whose project was not read, and has that read", async () => {
    const activeJobs = async () => ({ jobs: [], projectIds: [], unread: [] });
    const { hints } = await carryOut({ kind: "poll", connection: "forge" }, { activeJobs }, [job(aJob())]);
    expect(hints.map(({ key }) => key)).toEqual(["forge/7/all"]);
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
  });

  it("takes the one that runs a job for a microVM's own, whatever an older record says", async () => {
    const runningJobs = async (_connection: unknown, runnerId: number) =>
      runnerId === 101 ? [told({ status: "running", runnerId: 101 })] : [];
    const findRunners = async () => [runner(100), runner(101)];
    const after = await carryOut(sweep, { findRunners, runningJobs }, [known]);
    expect(after.deleted).toEqual([]);
    const { sealedToken: _token, ...rest } = anIdentity({ state: "leaving", runnerId: 101 });
    expect(after.identity).toEqual({ ...rest, forge: expect.any(String) });
    const { runnerId: _runnerId, sealedToken: _none, ...wanted } = anIdentity({ state: "wanted", attempts: 0 });
    const early = await carryOut(sweep, { findRunners: async () => [runner(101)], runningJobs }, [{ ...known, value: wanted }]);
    expect(early.identity).toMatchObject({ state: "leaving", runnerId: 101 });
    const idle = await carryOut(sweep, { findRunners: async () => [runner(5)] }, [{ ...known, value: wanted }]);
    expect([idle.deleted, idle.identity]).toEqual([[], wanted]);
  });
});

describe("sweeping finds a presence runner paused", () => {
  const sweep = { kind: "sweepRunners", connection: "forge" } as const;
  const paused = { ...runner(500, "pr-one"), paused: true };
  const record = (presence: ReturnType<typeof aPresence>): Write => ({ kind: "presence", key: "pr-one", value: presence, expect: "any" });

  it("that is to be seen by the forge, and has it heard and unpaused again", async () => {
    const { presence } = await carryOut(sweep, { findRunners: async () => [paused] }, [record(aPresence())]);
    expect(presence).toEqual(aPresence({ state: "paused" }));
  });

  it("as it is on record, and leaves it to its next step", async () => {
    for (const state of ["paused", "heard", "leaving"] as const) {
      const { presence } = await carryOut(sweep, { findRunners: async () => [paused] }, [record(aPresence({ state }))]);
      expect(presence).toEqual(aPresence({ state }));
    }
  });
});

describe("sweeping finds runners missing", () => {
  const sweep = { kind: "sweepRunners", connection: "forge" } as const;
  const records: Write[] = [
    { kind: "identity", key: "vm-one", value: anIdentity({ runnerId: 100 }), expect: "any" },
    { kind: "presence", key: "pr-one", value: aPresence(), expect: "any" },
  ];

  it("that somebody deleted, and asks for each before it believes it", async () => {
    const asked: number[] = [];
    const readRunner = async (_connection: unknown, runnerId: number) => {
      asked.push(runnerId);
      return undefined;
    };
    const { identity, presence } = await carryOut(sweep, { findRunners: async () => [], readRunner }, records);
    expect(asked).toEqual([100, 500]);
    expect(identity).toMatchObject({ state: "ready", absent: true });
    expect(presence).toBeUndefined();
  });

  it("and leaves them as they are when only the list has passed over them", async () => {
    const readRunner = async (_connection: unknown, runnerId: number) => runner(runnerId);
    const { identity, presence } = await carryOut(sweep, { findRunners: async () => [], readRunner }, records);
    expect(identity).toEqual(anIdentity({ runnerId: 100 }));
    expect(presence).toEqual(aPresence());
  });

  it("but none of those that have a record for a presence runner without one", async () => {
    const findRunners = async () => [runner(500, "pr-one"), runner(100)];
    const { deleted, presence, events } = await carryOut(sweep, { findRunners }, records);
    expect([deleted, events]).toEqual([[], []]);
    expect(presence).toEqual(aPresence());
  });
});

describe("a presence runner", () => {
  const tend = (step: "make" | "remake" | "contact" | "pause" | "unpause" | "remove") =>
    ({ kind: "tendPresence", presence: "pr-one", connection: "forge", step }) as const;
  const { runnerId: _id, sealedToken: _token, heardAt: _heard, ...unmade } = aPresence({ state: "wanted" });
  const stored = (value: ReturnType<typeof aPresence>): Write[] => [{ kind: "presence", key: "pr-one", value, expect: "any" }];

  it("is made paused, with what an earlier try may have left deleted first", async () => {
    const requests: unknown[] = [];
    const makeRunner = async (_connection: unknown, request: unknown) => {
      requests.push(request);
      return { runnerId: 501, token: "token" };
    };
    const findRunners = async () => [runner(7, "pr-one")];
    const { deleted, presence } = await carryOut(tend("remake"), { findRunners, makeRunner }, stored(unmade));
    expect(deleted).toEqual([7]);
    expect(requests).toMatchObject([{ paused: true, tags: ["vm", "small"], runUntagged: false, protectedOnly: false }]);
    expect(presence).toMatchObject({ state: "paused", runnerId: 501, sealedToken: "sealed:token" });
  });

  it("that was told to go while it was made is deleted afterwards", async () => {
    const leaving = { ...unmade, state: "leaving" } as const;
    expect((await carryOut(tend("make"), {}, stored(leaving))).presence).toEqual(leaving);
    const findRunners = async () => [runner(7, "pr-one")];
    const { deleted, presence } = await carryOut(tend("remove"), { findRunners }, stored(leaving));
    expect([deleted, presence]).toEqual([[7], undefined]);
  });

  it.each(["present", "heard", "leaving"] as const)("asks for no job while it is %s", async (state) => {
    const showRunner = () => Promise.reject(new Error("it must not ask"));
    const before = aPresence({ state });
    expect((await carryOut(tend("contact"), { showRunner }, stored(before))).presence).toEqual(before);
  });

  it("asks with its own token, and goes when it is given a job all the same", async () => {
    const tokens: string[] = [];
    const showRunner = async (_connection: unknown, token: string) => {
      tokens.push(token);
      return { state: "given", jobId: 9, ended: true } as const;
    };
    const { presence, events } = await carryOut(tend("contact"), { showRunner }, stored(aPresence({ state: "paused" })));
    expect(tokens).toEqual(["token"]);
    expect(presence).toMatchObject({ state: "leaving" });
    expect(events).toEqual(["PresenceRunnerGivenJob"]);
  });

  it("goes when its token cannot be opened with the service's key", async () => {
    const { sealedToken: _sealed, ...unreadable } = aPresence({ state: "paused" });
    expect((await carryOut(tend("contact"), {}, stored(unreadable))).presence).toMatchObject({ state: "leaving" });
    const other = aPresence({ state: "paused", sealedToken: "by another key" });
    expect((await carryOut(tend("contact"), {}, stored(other))).presence).toMatchObject({ state: "leaving" });
  });

  it("is not unpaused, and goes, when it was given a job in an answer that was lost", async () => {
    const answers = { runningJobs: async () => [told({ jobId: 9, status: "running", runnerId: 500 })] };
    const { presence, events } = await carryOut(tend("unpause"), answers, stored(aPresence({ state: "heard" })));
    expect([presence?.state, events]).toEqual(["leaving", ["PresenceRunnerGivenJob"]]);
  });

  it.each<["contact" | "pause" | "unpause", Parameters<typeof aPresence>[0]]>([
    ["contact", { state: "paused" }],
    ["pause", { state: "present" }],
    ["unpause", { state: "heard" }],
  ])("that is found missing (%s) is forgotten, so that another is made", async (step, presence) => {
    const absent = async () => "absent" as const;
    const answers = { showRunner: async () => ({ state: "absent" }) as const, pauseRunner: absent, unpauseRunner: absent };
    expect((await carryOut(tend(step), answers, stored(aPresence(presence)))).presence).toBeUndefined();
  });
});

describe("a forge that makes no more runners", () => {
  const { runnerId: _runnerId, sealedToken: _token, ...unmade } = anIdentity({ state: "wanted", attempts: 2 });
  const wanted: Write = { kind: "identity", key: "vm-one", value: unmade, expect: "any" };
  const makeRunner = () => Promise.reject(new FireRunnerError("FR-FORGE-RUNNER-LIMIT", "fifty exceeded", { retryable: true }));
  const effect = { kind: "makeRunner", vm: "vm-one", connection: "forge", findFirst: false } as const;
  const limited = (until: number): Write => {
    const value = {
      ...{ subject: { kind: "connection", name: "forge" }, type: "RunnerLimit", status: true, reason: "FR-FORGE-RUNNER-LIMIT" },
    };
    return {
      kind: "condition",
      key: "connection/forge/RunnerLimit",
      value: { ...value, message: "", observedAt: now, count: 3, until },
      expect: "any",
    };
  };

  it("is asked again in five seconds, and the try is not counted", async () => {
    const { identity, limit, events } = await carryOut(effect, { makeRunner }, [wanted]);
    expect(identity).toMatchObject({ state: "wanted", attempts: 1 });
    expect(limit).toMatchObject({ status: true, message: "fifty exceeded", count: 1, until: now + 5_000 });
    expect(events).toEqual(["RunnerLimitReached"]);
  });

  it("is asked later when it said so before, and those that are refused together count once", async () => {
    const { limit, events } = await carryOut(effect, { makeRunner }, [wanted, limited(now)]);
    expect(limit).toMatchObject({ count: 4, until: now + 40_000 });
    expect(events).toEqual([]);
    expect((await carryOut(effect, { makeRunner }, [wanted, limited(now + 9_000)])).limit).toMatchObject({ count: 3, until: now + 9_000 });
  });

  it("is no longer so when it makes one, and is asked at once when one of ours was deleted", async () => {
    const one = async () => ({ runnerId: 8, token: "token" });
    expect((await carryOut(effect, { makeRunner: one }, [wanted, limited(now)])).limit).toBeUndefined();
    const gone: Write = {
      kind: "identity",
      key: "vm-two",
      value: anIdentity({ vm: "vm-two", state: "leaving", runnerId: 9 }),
      expect: "any",
    };
    const deletion = { kind: "deleteRunner", vm: "vm-two", connection: "forge", runnerId: 9 } as const;
    expect((await carryOut(deletion, {}, [gone, limited(now + 9_000)])).limit).toMatchObject({ until: now });
  });
});

describe("a project that was deleted", () => {
  const findRunners = () => Promise.reject(new FireRunnerError("FR-FORGE-NOT-FOUND", "no such project"));
  const find = { kind: "findRunner", vm: "vm-one", connection: "forge" } as const;
  const { runnerId: _runnerId, sealedToken: _token, ...leaving } = anIdentity({ state: "leaving" });

  it("took its runners with it, once nothing that could have one is left", async () => {
    const gone: Write = { kind: "identity", key: "vm-one", value: { ...leaving, vmGoneAt: now }, expect: "any" };
    expect((await carryOut(find, { findRunners }, [gone])).identity).toMatchObject({ absent: true });
    const still: Write = { kind: "identity", key: "vm-one", value: leaving, expect: "any" };
    await expect(carryOut(find, { findRunners }, [still])).rejects.toMatchObject({ code: "FR-FORGE-NOT-FOUND" });
  });

  it("leaves no presence runner behind either", async () => {
    const { runnerId: _id, ...unmade } = aPresence({ state: "leaving" });
    const record: Write = { kind: "presence", key: "pr-one", value: unmade, expect: "any" };
    const effect = { kind: "tendPresence", presence: "pr-one", connection: "forge", step: "remove" } as const;
    expect((await carryOut(effect, { findRunners }, [record])).presence).toBeUndefined();
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
