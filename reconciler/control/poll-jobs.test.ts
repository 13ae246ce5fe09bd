import { describe, expect, it } from "vitest";
import type { ActiveJobs, ForgeJob } from "../forge/port.js";
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

type Poll = Extract<Effect, { kind: "poll" }>;
const all: Poll = { kind: "poll", connection: "forge" };
const one: Poll = { ...all, projectId: 7 };

const told = (job: Partial<ForgeJob>): ForgeJob => ({
  ...{ projectId: 7, jobId: 1, name: "test", stage: "test", pipelineId: undefined, ref: undefined, status: "pending", tags: ["vm"] },
  ...{ protected: false, allowFailure: false, runnerId: undefined, createdAt: undefined, queuedAt: now - 60_000 },
  ...{ startedAt: undefined, finishedAt: undefined },
  ...job,
});

/** A leader that polls a forge with these answers, and what it counts. */
async function aLeader() {
  const clock = new VirtualClock(now);
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const lease = await store.acquireLease("test", 60_000);
  const value = { spec: aConnection(), generation: 1, order: 0, declaredAt: now };
  await store.commit({ writes: [{ kind: "connection", key: "forge", value, expect: "any" }] });
  const soft = new SoftState();
  soft.noteForgeRead("forge", { polledAt: now - 10_000 });
  const writes = new LeaderWrites(store, lease?.epoch ?? "", () => {});
  const settings = { owner: "owner", holder: "test", schedules: { pollMs: 1, pollHealthyMs: 1, listHostsMs: 1, sweepMs: 1, settleMs: 1 } };
  let found = 0;
  const hint = (jobId: number, projectId = 7) =>
    store.commit({
      writes: [
        {
          ...{ kind: "hint", key: `forge/${projectId}/${jobId}`, expect: "any" },
          value: { connection: "forge", projectId, jobId, firstSeenAt: now - 100, hookedAt: now - 100 },
        },
      ],
    });
  return {
    soft,
    hint,
    pass(ms: number) {
      clock.after(ms, () => {});
      clock.fireNext(Number.POSITIVE_INFINITY);
    },
    found: () => found,
    hints: () => store.list("hint").map(({ key }) => key),
    jobs: () => store.list("job").map(({ value: job }) => job.jobId),
    unread: () => store.get("condition", "connection/forge/ProjectsUnread")?.value.message,
    know: (job: Job) => store.commit({ writes: [{ kind: "job", key: `forge/7/${job.jobId}`, value: job, expect: "any" }] }),
    async poll(effect: Poll, answer: Partial<ActiveJobs>, meanwhile: () => Promise<unknown> = async () => {}) {
      const forge = {
        async activeJobs() {
          await meanwhile();
          return { jobs: [], projectIds: [7], unread: [], ...answer };
        },
      };
      const observer = {
        foundByPolling(_connection: string, count: number) {
          found += count;
        },
      };
      const ports = { store, forge, clock, observer, random: new SeededRandom(2) } as unknown as ControlPorts;
      await execute(effect, { ports, settings, soft, writes });
    },
  };
}

describe("hints", () => {
  it.each([
    ["one project", one],
    ["all projects", all],
  ])("at jobs that a poll of %s shows are answered, all others are kept", async (_what, effect) => {
    const leader = await aLeader();
    for (const jobId of [1, 2, 3]) await leader.hint(jobId);
    await leader.hint(1, 8);
    await leader.poll(effect, { jobs: [told({ jobId: 1 }), told({ jobId: 3 })] });
    expect(leader.hints()).toEqual(["forge/7/2", "forge/8/1"]);
    expect(leader.jobs()).toEqual([1, 3]);
  });

  it("that a webhook gives once more, or for the first time, while the forge is asked are kept", async () => {
    const leader = await aLeader();
    for (const jobId of [1, 2]) await leader.hint(jobId);
    const jobs = [1, 2, 3].map((jobId) => told({ jobId }));
    await leader.poll(one, { jobs }, async () => {
      await leader.hint(2);
      await leader.hint(3);
    });
    expect(leader.hints()).toEqual(["forge/7/2", "forge/7/3"]);
  });

  it("are known to have been asked about: when the project's reading began", async () => {
    const leader = await aLeader();
    await leader.poll(one, {});
    expect(leader.soft.polls.projectsPolledAt("forge").get(7)).toBe(now);
    expect(leader.soft.forgeReads("forge").polledAt).toBe(now - 10_000);
  });
});

describe("what a poll is the first to tell of", () => {
  it.each<[string, Partial<ForgeJob>, number]>([
    ["a job that has waited for long", {}, 1],
    ["a job that began to wait just now: its webhook may be on its way", { queuedAt: now - 4_000 }, 0],
    ["a job that runs on a runner of somebody else", { status: "running", runnerId: 99, startedAt: now - 60_000 }, 0],
  ])("%s", async (_what, job, count) => {
    const leader = await aLeader();
    await leader.poll(all, { jobs: [told(job)] });
    expect([leader.found(), leader.soft.polls.newsByPollAt("forge")]).toEqual([count, count === 0 ? undefined : now]);
  });

  it("is that a job which was known to wait has run for a while", async () => {
    const leader = await aLeader();
    await leader.know(aJob());
    await leader.poll(all, { jobs: [told({ status: "running", runnerId: 9, startedAt: now - 6_000 })] });
    expect(leader.found()).toBe(1);
  });

  it("is nothing that a webhook has told of, nor what was known, nor anything of the first poll", async () => {
    const leader = await aLeader();
    await leader.hint(1);
    await leader.know(aJob({ jobId: 2 }));
    await leader.poll(all, { jobs: [told({ jobId: 1 }), told({ jobId: 2 })] });
    leader.soft.forgetPoll("forge");
    await leader.poll(all, { jobs: [told({ jobId: 3 })] });
    expect(leader.found()).toBe(0);
  });
});

it("tells of projects that cannot be read, until they can", async () => {
  const leader = await aLeader();
  const why = "GitLab answered 403";
  await leader.poll(all, { unread: [8, 9].map((projectId) => ({ projectId, why })) });
  expect(leader.unread()).toBe("not all jobs are known of 2 of its projects: 8 (GitLab answered 403); 9 (GitLab answered 403)");
  await leader.poll(all, { projectIds: [7, 8] });
  expect(leader.unread()).toBe("not all jobs are known of 1 of its projects: 9 (GitLab answered 403)");
  await leader.poll(all, { projectIds: [7, 8, 9] });
  expect(leader.unread()).toBeUndefined();
});

it("reads a project with active jobs by itself that a poll of the scope does not come to: at once, and then when that has lasted", async () => {
  const leader = await aLeader();
  await leader.know(aJob());
  await leader.poll(all, { projectIds: [8] });
  expect(leader.hints()).toEqual(["forge/7/all"]);
  await leader.poll(one, { jobs: [told({})] });
  await leader.poll(all, { projectIds: [8] });
  expect(leader.hints()).toEqual([]);
  leader.pass(600_000);
  await leader.poll(all, { projectIds: [8] });
  expect(leader.hints()).toEqual(["forge/7/all"]);
});
