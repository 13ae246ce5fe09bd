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

describe("reading", () => {
  it("asks for nothing before its time, and wakes for the first of them", () => {
    const { effects, wakeAt } = decide({});
    expect(effects).toEqual([]);
    expect(wakeAt).toBeGreaterThanOrEqual(now + 7_000);
    expect(wakeAt).toBeLessThanOrEqual(now + 9_000);
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
    const schedules = { ...aSnapshot().schedules, pollMs: 3_600_000, listHostsMs: 3_600_000 };
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
