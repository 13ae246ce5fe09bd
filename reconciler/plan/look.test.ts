import { describe, expect, it } from "vitest";
import { plan } from "./plan.js";
import { aConnectionView, aHost, aHostView, aJob, aSnapshot, now } from "./snapshot.fixture.js";
import type { EffectState, Snapshot } from "./snapshot.js";

const decide = (rest: Partial<Snapshot>) => plan(aSnapshot(rest));
const kinds = (rest: Partial<Snapshot>) => decide(rest).effects.map(({ kind }) => kind);
const aVerdict = (reason: string, name = "forge") => ({
  subject: { kind: "connection", name },
  type: "Usable",
  status: false,
  reason,
  message: "",
  observedAt: now,
  count: 0,
});
const hint = (jobId?: number, firstSeenAt = now - 10) => ({
  connection: "forge",
  projectId: 7,
  firstSeenAt,
  ...(jobId === undefined ? {} : { jobId }),
});

describe("reading", () => {
  it("asks for nothing before its time, and wakes for the first of them", () => {
    const { effects, wakeAt } = decide({});
    expect(effects).toEqual([]);
    expect(wakeAt).toBe(now + 9_000);
  });

  it.each<[string, Partial<Snapshot>, string[]]>([
    ["a host that was never read", { hosts: [aHostView(aHost(), [], { observation: undefined })] }, ["listHost"]],
    [
      "a forge that was never read",
      { connections: [aConnectionView({ readAt: undefined, polledAt: undefined, sweptAt: undefined })] },
      ["poll", "sweepRunners"],
    ],
    ["a forge whose poll is due", { connections: [aConnectionView({ polledAt: now - 10_000 })] }, ["poll"]],
    ["a forge whose sweep is due", { connections: [aConnectionView({ sweptAt: now - 60_000 })] }, ["sweepRunners"]],
    [
      "a forge that was not checked as it is declared now",
      { connections: [aConnectionView({ checkedAt: undefined })] },
      ["checkConnection"],
    ],
    ["a forge whose check is due", { connections: [aConnectionView({ checkedAt: now - 600_000 })] }, ["checkConnection"]],
    ["no forge that was checked within ten minutes", { connections: [aConnectionView({ checkedAt: now - 599_999 })] }, []],
    [
      "a forge that could not be used a minute ago",
      { connections: [aConnectionView({ checkedAt: now - 60_000 })], conditions: [aVerdict("FR-FORGE-UNAUTHORIZED")] },
      ["checkConnection"],
    ],
    [
      "no forge of which nothing could be told a minute ago",
      { connections: [aConnectionView({ checkedAt: now - 60_000 })], conditions: [aVerdict("Unknown")] },
      [],
    ],
    ["no host that was forgotten", { hosts: [aHostView(aHost(), [], { standing: "forgotten", observation: undefined })] }, []],
  ])("looks at %s", (_what, rest, effects) => {
    expect(kinds(rest)).toEqual(effects);
  });

  it("does not wait for a rare poll while a job waits on a forge that goes unread", () => {
    const schedules = { ...aSnapshot().schedules, pollMs: 3_600_000 };
    const connections = [aConnectionView({ readAt: now - 30_000, polledAt: now - 30_000 })];
    expect(kinds({ schedules, connections })).toEqual([]);
    expect(kinds({ schedules, connections, jobs: [aJob({ tags: ["nobody"] })] })).toEqual(["poll"]);
  });

  it("forgets what was true of a connection that is no longer declared", () => {
    const { decisions } = decide({ conditions: [aVerdict("Unknown", "removed")] });
    expect(decisions).toEqual([{ kind: "condition", key: "connection/removed/Usable", value: null }]);
  });

  it("rests after a failure and wakes when the rest is over", () => {
    const effects = new Map<string, EffectState>([["poll:forge/all", { state: "backing-off", until: now + 700 }]]);
    const decided = decide({ connections: [aConnectionView({ polledAt: now - 10_000 })], effects });
    expect(decided.effects).toEqual([]);
    expect(decided.wakeAt).toBe(now + 700);
  });
});

describe("hints", () => {
  it("have their job read, or their project polled", () => {
    expect(decide({ hints: [hint(5), hint()] }).effects).toEqual([
      { kind: "readJob", connection: "forge", projectId: 7, jobId: 5 },
      { kind: "poll", connection: "forge", projectId: 7 },
    ]);
  });

  it("are followed two hundred and fifty-six at a time", () => {
    const under = Array.from({ length: 254 }, (_, n) => [`readJob:forge/7/${n + 1}`, { state: "in-flight" }] as const);
    const hints = Array.from({ length: 300 }, (_, n) => hint(n + 1));
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
