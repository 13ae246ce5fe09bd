import { describe, expect, it } from "vitest";
import type { Job } from "../model/job.js";
import type { PoolInput } from "../model/pool.js";
import { applyPlan, planUntilDone } from "./apply-plan.fixture.js";
import type { Effect } from "./effect.js";
import { plan } from "./plan.js";
import { aConnection, aConnectionView, aJob, aPool, aSnapshot, now } from "./snapshot.fixture.js";
import type { ProtectedRefsRead, Snapshot } from "./snapshot.js";

const pools = (...specs: Partial<PoolInput>[]) => specs.map((spec) => ({ spec: aPool(spec), paused: false }));
const guarded: Partial<PoolInput> = { name: "guarded", accessLevel: "ref_protected" };
const open: Partial<PoolInput> = { name: "open" };
const lists = { branches: ["main", "release/*"], tags: ["v*"] };
const unknown = (job: Partial<Job> = {}) => aJob({ protected: "unknown", ref: "main", ...job });
const knowing = (read?: ProtectedRefsRead) => [
  aConnectionView({ protectedRefs: new Map<number, ProtectedRefsRead>(read === undefined ? [] : [[7, read]]) }),
];

function decide(rest: Partial<Snapshot>) {
  const before = aSnapshot(rest);
  const decided = plan(before);
  const after = applyPlan(before, decided);
  return {
    pools: after.jobs.map(({ pool }) => pool),
    reasons: after.jobs.map(({ waitingReason }) => waitingReason),
    reads: decided.effects.filter((effect: Effect) => effect.kind === "readProtectedRefs"),
    made: after.microvms,
    identities: after.identities,
    wakeAt: decided.wakeAt,
    overlaps: after.conditions.filter(({ type }) => type === "Overlaps"),
  };
}

describe("a pool for protected refs", () => {
  const refs = { at: now - 1_000, refs: lists };

  it.each<[string, Partial<Job>, string]>([
    ["a protected branch", { ref: "main" }, "guarded"],
    ["a branch of a protected pattern", { ref: "release/2.1" }, "guarded"],
    ["another branch", { ref: "feature" }, "open"],
    ["a protected Git tag", { ref: "v1.0", refIsTag: true }, "guarded"],
    ["a branch that is named like a protected Git tag", { ref: "v1.0" }, "open"],
    ["a Git tag that is named like a protected branch", { ref: "main", refIsTag: true }, "open"],
    ["a merge request, of which the forge says that it is none", { protected: false, ref: "refs/merge-requests/1/head" }, "open"],
    ["whatever the forge itself calls protected", { protected: true, ref: "feature" }, "guarded"],
  ])("is told apart from the next for a job of %s", (_what, job, expected) => {
    const found = decide({ jobs: [unknown(job)], pools: pools(guarded, open), connections: knowing(refs) });
    expect(found.pools).toEqual([expected]);
    expect(found.reads).toEqual([]);
  });

  it("makes runners for protected refs only", () => {
    expect(decide({ jobs: [unknown()], pools: pools(guarded), connections: knowing(refs) }).identities).toMatchObject([
      { protectedOnly: true },
    ]);
    expect(decide({ jobs: [unknown()], pools: pools(open), connections: knowing(refs) }).identities[0]?.protectedOnly).toBeUndefined();
  });

  it("gets no job, and leaves none to the pool behind it, while the project's lists are read for the first time", () => {
    const found = decide({ jobs: [unknown(), unknown({ jobId: 2 })], pools: pools(guarded, open), connections: knowing() });
    expect(found.reads).toEqual([{ kind: "readProtectedRefs", connection: "forge", projectId: 7 }]);
    expect(found.made).toEqual([]);
    expect(found.reasons[0]).toMatchObject({ code: "FR-PROTECTION-UNKNOWN", message: expect.stringContaining('pool "guarded"') });
  });

  it.each(["guarded", "open"])("keeps jobs where they were, in %s, while a new leader reads the lists", (pool) => {
    const found = decide({ jobs: [unknown({ pool, size: "small" })], pools: pools(guarded, open), connections: knowing() });
    expect(found.pools).toEqual([pool]);
    expect(found.reads).toHaveLength(1);
  });

  it("goes by the old lists while they are read again after ten minutes", () => {
    const jobs = [unknown()];
    const old = decide({ jobs, pools: pools(guarded), connections: knowing({ at: now - 600_000, refs: lists }) });
    expect(old.reads).toHaveLength(1);
    expect(old.pools).toEqual(["guarded"]);
    expect(decide({ jobs, pools: pools(guarded), connections: knowing({ at: now - 599_999, refs: lists }) }).reads).toEqual([]);
  });

  it.each<[string, Partial<Job>, Partial<PoolInput>[]]>([
    ["jobs that run", { status: "running" }, [guarded]],
    ["jobs that it could not take anyway", { tags: ["other"] }, [guarded]],
    ["jobs that a pool before it takes", {}, [open, guarded]],
    ["jobs of which the forge says it", { protected: false }, [guarded]],
    ["pools that take any ref", {}, [open]],
  ])("costs no reading for %s", (_what, job, specs) => {
    expect(decide({ jobs: [unknown(job)], pools: pools(...specs), connections: knowing() }).reads).toEqual([]);
  });

  describe("of a project whose lists may not be read", () => {
    const refused = { at: now - 1_000, refused: "it needs the scope read_api, and the role Maintainer in the project" };

    it("gets none of its jobs, and they are told what is needed", () => {
      const found = decide({ jobs: [unknown()], pools: pools(guarded), connections: knowing(refused) });
      expect(found.reasons).toMatchObject([
        { code: "FR-PROTECTION-UNKNOWN", message: expect.stringContaining("the role Maintainer in the project") },
      ]);
      expect(found.reads).toEqual([]);
    });

    it("leaves them to the pool behind it, and asks again after a minute", () => {
      expect(decide({ jobs: [unknown()], pools: pools(guarded, open), connections: knowing(refused) }).pools).toEqual(["open"]);
      const later = knowing({ ...refused, at: now - 60_000 });
      expect(decide({ jobs: [unknown()], pools: pools(guarded, open), connections: later }).reads).toHaveLength(1);
    });
  });
});

describe("a pool for some projects", () => {
  const some = { name: "some", projectIds: [7, 9] };

  it("takes their jobs, and the next pool takes the others", () => {
    const jobs = [aJob(), aJob({ jobId: 2, projectId: 8 })];
    expect(decide({ jobs, pools: pools(some, open) }).pools).toEqual(["some", "open"]);
  });

  it("is named where nothing else takes a job", () => {
    const [reason] = decide({ jobs: [aJob({ projectId: 8 })], pools: pools(some) }).reasons;
    expect(reason).toMatchObject({ code: "FR-NO-POOL", message: expect.stringContaining("its projectIds do not name project 8") });
  });
});

describe("a job that no pool takes is told of the nearest one", () => {
  it.each<[string, Partial<Job>, Partial<PoolInput>[], string]>([
    ["by the tags it lacks", { tags: ["vm", "gpu"] }, [{ name: "far", tags: ["x"] }, open], 'nearest is "open": it lacks the tag gpu'],
    ["by the first of two alike", { tags: ["a", "b"] }, [guarded, open], 'nearest is "open": it lacks the tags a, b'],
    [
      "that takes no job without tags",
      { tags: [] },
      [open],
      'takes a job without tags; the nearest is "open": it does not take jobs without',
    ],
    [
      "that takes protected refs only",
      { ref: "feature", protected: false },
      [guarded],
      'is "guarded": it takes jobs of protected refs only',
    ],
    ["that asks for two sizes", { tags: ["small", "large"] }, [open], "the job names more than one of its sizes"],
  ])("%s", (_what, job, specs, expected) => {
    const [reason] = decide({ jobs: [aJob(job)], pools: pools(...specs) }).reasons;
    expect(reason).toMatchObject({ code: "FR-NO-POOL", message: expect.stringContaining(expected) });
  });

  it("by the scope of its connection", () => {
    const connections = [aConnectionView({ spec: aConnection({ scope: { projectId: 99 } }) })];
    expect(decide({ jobs: [aJob()], connections, pools: pools(open) }).reasons[0]?.message).toContain("scope does not hold project 7");
  });

  it("or that there is none", () => {
    expect(decide({ jobs: [aJob()], pools: [] }).reasons[0]?.message).toBe('no pool of connection "forge" is declared');
  });
});

describe("pools that overlap", () => {
  it.each<[string, Partial<PoolInput>[], string | undefined]>([
    ["the same tags", [open, { name: "b" }], 'jobs with the tags vm also fit pool "open", which was declared before and gets them'],
    ["more tags than the first", [open, { name: "b", tags: ["vm", "gpu"] }], "jobs with the tags vm also fit"],
    ["fewer tags than the first", [{ ...open, tags: ["vm", "gpu"] }, { name: "b" }], "jobs with the tags vm also fit"],
    [
      "jobs without tags",
      [
        { ...open, runUntagged: true },
        { name: "b", tags: ["b"], runUntagged: true },
      ],
      "jobs without tags also fit",
    ],
    ["protected refs", [guarded, open], 'jobs with the tags vm of protected refs also fit pool "guarded"'],
    [
      "a project",
      [
        { ...open, projectIds: [1, 2] },
        { name: "b", projectIds: [2, 3] },
      ],
      "jobs with the tags vm also fit",
    ],
    [
      "no project",
      [
        { ...open, projectIds: [1] },
        { name: "b", projectIds: [2] },
      ],
      undefined,
    ],
    [
      "no more than a size's name",
      [
        { ...open, tags: ["a"] },
        { name: "b", tags: ["b"] },
      ],
      undefined,
    ],
  ])("in %s get a condition on the later one", (_what, specs, expected) => {
    const { overlaps } = decide({ pools: pools(...specs) });
    expect(overlaps.map(({ subject, message }) => [subject.name, message])).toEqual(
      expected === undefined ? [] : [[specs[1]?.name, expect.stringContaining(expected)]],
    );
  });

  it("lose it when they no longer do, or are removed", () => {
    const { after } = planUntilDone(aSnapshot({ pools: pools(open, { name: "b" }) }));
    const overlapsOf = (snapshot: Snapshot) => planUntilDone(snapshot).after.conditions.filter(({ type }) => type === "Overlaps");
    expect(overlapsOf(after)).toHaveLength(1);
    expect(overlapsOf({ ...after, pools: pools(open, { name: "b", tags: ["other"] }) })).toEqual([]);
    expect(overlapsOf({ ...after, pools: pools(open) })).toEqual([]);
  });
});
