import { describe, expect, it } from "vitest";
import type { DeadLetter } from "../model/dead-letter.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aConnectionView, aJob, aSnapshot, now } from "./snapshot.fixture.js";
import type { EffectState, Snapshot } from "./snapshot.js";

const decide = (rest: Partial<Snapshot>) => plan(aSnapshot(rest));
const hint = (jobId?: number, firstSeenAt = now - 10) => ({
  connection: "forge",
  projectId: 7,
  firstSeenAt,
  ...(jobId === undefined ? {} : { jobId }),
});
/** Hints at so many projects with so many jobs each, job by job. */
const spread = (projects: number, each: number) =>
  Array.from({ length: projects * each }, (_, n) => ({ ...hint(n + 1), projectId: 1 + (n % projects) }));
const kindsOf = (rest: Partial<Snapshot>) => {
  const kinds = decide(rest).effects.map(({ kind }) => kind);
  return { polls: kinds.filter((kind) => kind === "poll").length, reads: kinds.filter((kind) => kind === "readJob").length };
};

describe("hints", () => {
  it("have their job read, or their project polled", () => {
    expect(decide({ hints: [hint(5), hint()] }).effects).toEqual([
      { kind: "readJob", connection: "forge", projectId: 7, jobId: 5 },
      { kind: "poll", connection: "forge", projectId: 7 },
    ]);
  });

  it("are followed two hundred and fifty-six at a time", () => {
    const hints = spread(40, 8);
    const under = hints.slice(0, 254).map((one) => [`readJob:forge/${one.projectId}/${one.jobId}`, { state: "in-flight" }] as const);
    expect(decide({ hints, effects: new Map(under) }).effects).toHaveLength(2);
  });

  it.each([
    ["their connection is not declared", { ...hint(1), connection: "removed" }],
    ["their job is over", hint(9)],
    ["they could not be followed for an hour", hint(2, now - 3_600_001)],
  ])("are dropped when %s", (_what, given) => {
    const { decisions, effects } = decide({ hints: [given], jobs: [aJob({ jobId: 9, status: "success", finishedAt: now - 10 })] });
    expect(decisions).toMatchObject([{ kind: "hint", value: null }]);
    expect(effects).toEqual([]);
  });
});

describe("many hints at one project", () => {
  const flood = (count: number) => Array.from({ length: count }, (_, n) => hint(n + 1, now - 100));

  it("have it read as a whole, and none of its jobs by itself meanwhile", () => {
    expect(kindsOf({ hints: flood(18) })).toEqual({ polls: 0, reads: 18 });
    expect(decide({ hints: flood(19) }).effects).toEqual([{ kind: "poll", connection: "forge", projectId: 7 }]);
    expect(planUntilDone(aSnapshot({ hints: flood(300) })).rounds.flatMap(({ effects }) => effects)).toHaveLength(1);
  });

  it("do so only where its list has few pages for so many hints", () => {
    const jobs = Array.from({ length: 950 }, (_, n) => aJob({ jobId: 10_000 + n, status: "running" }));
    expect(kindsOf({ hints: flood(118), jobs })).toEqual({ polls: 0, reads: 118 });
    expect(kindsOf({ hints: flood(119), jobs })).toEqual({ polls: 1, reads: 0 });
  });

  it("do not count those that are read right now", () => {
    const effects = new Map<string, EffectState>(flood(9).map(({ jobId }) => [`readJob:forge/7/${jobId}`, { state: "in-flight" }]));
    expect(kindsOf({ hints: flood(27), effects })).toEqual({ polls: 0, reads: 18 });
  });

  it("are read one by one when the whole did not show them, or cannot be read", () => {
    const seen = aConnectionView({ projectsPolledAt: new Map([[7, now - 50]]) });
    expect(kindsOf({ hints: flood(40), connections: [seen] })).toEqual({ polls: 0, reads: 40 });
    const later = flood(40).map((one) => ({ ...one, hookedAt: now - 40 }));
    expect(kindsOf({ hints: later, connections: [seen] })).toEqual({ polls: 1, reads: 0 });
    const resting = new Map<string, EffectState>([["poll:forge/7", { state: "backing-off", until: now + 500 }]]);
    expect(kindsOf({ hints: flood(40), effects: resting })).toEqual({ polls: 0, reads: 40 });
  });

  it("do not count those that an operator has dropped", () => {
    const letter: DeadLetter = {
      action: "readJob",
      target: { connection: "forge", projectId: 7, jobId: 1 },
      ...{ tried: "when-asked", attempts: 12, firstFailureAt: now - 400_000, lastFailureAt: now - 100, parkedAt: now - 100 },
      failures: [{ at: now - 100, code: "FR-FORGE-REJECTED", message: "no" }],
      asked: { what: "drop", by: "somebody", at: now - 10 },
    };
    const deadLetters = new Map([["readJob:forge/7/1", letter]]);
    expect(kindsOf({ hints: flood(19), deadLetters })).toEqual({ polls: 0, reads: 18 });
  });

  it("hold up no other project", () => {
    const others = spread(3, 5).map((one) => ({ ...one, projectId: one.projectId + 100 }));
    expect(kindsOf({ hints: [...flood(40), ...others] })).toEqual({ polls: 1, reads: 15 });
  });
});
