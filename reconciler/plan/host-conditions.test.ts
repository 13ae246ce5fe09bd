import { describe, expect, it } from "vitest";
import type { Condition } from "../model/condition.js";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aHost, aHostView, aSnapshot, now } from "./snapshot.fixture.js";
import type { HostView, Snapshot } from "./snapshot.js";

const seen = (at: number) => ({ startedAt: at - 10, at, microvms: new Map() });
const failing = { code: "FR-HOST-UNAUTHORIZED", message: "the token is wrong" };

function judge(view: Partial<HostView>, rest: Partial<Snapshot> = {}) {
  const snapshot = aSnapshot({ hosts: [aHostView(aHost(), [], view)], ...rest });
  const after = applyPlan(snapshot, plan(snapshot));
  const of = (type: string) => after.conditions.find((condition) => condition.type === type);
  return { reachable: of("Reachable"), accepting: of("Accepting"), degraded: of("Degraded"), after };
}

describe("what is told of a host", () => {
  it.each<[string, Partial<HostView>, Partial<Condition>, Partial<Condition>]>([
    ["cordoned", { standing: "cordoned" }, { status: true, reason: "Listed" }, { status: false, reason: "Cordoned" }],
    ["draining", { standing: "draining" }, { status: true, reason: "Listed" }, { status: false, reason: "Draining" }],
    ["forgotten", { standing: "forgotten" }, { status: false, reason: "Unknown" }, { status: false, reason: "Forgotten" }],
    [
      "silent for long",
      { observation: seen(now - 40_000) },
      { status: false, reason: "FR-HOST-UNREACHABLE", message: "it was read last at 2023-11-14T22:12:40.000Z" },
      { status: false, reason: "FR-HOST-UNREACHABLE" },
    ],
    [
      "refusing",
      { observation: undefined, failedRead: failing },
      { status: false, reason: "FR-HOST-UNAUTHORIZED", message: expect.stringContaining("the token is wrong") },
      { status: false, reason: "FR-HOST-UNAUTHORIZED" },
    ],
    ["not read yet", { observation: undefined }, { status: false, reason: "Unknown" }, { status: false, reason: "Unknown" }],
  ])("that is %s", (_what, view, reachable, accepting) => {
    const judged = judge(view);
    expect(judged.reachable).toMatchObject(reachable);
    expect(judged.accepting).toMatchObject(accepting);
  });

  it("is what the leader before told, until the first answer can be here", () => {
    expect(judge({ observation: undefined }, { listeningSince: now - 29_000 }).reachable).toMatchObject({ status: true });
    expect(judge({ observation: undefined }, { listeningSince: now - 30_000 }).reachable).toMatchObject({ reason: "Unknown" });
  });

  it("is written only when it changes", () => {
    const silent = { observation: seen(now - 40_000), failedRead: failing };
    const { after } = judge(silent);
    const later = judge({ ...silent, failedRead: { ...failing, message: "the same in other words" } }, { conditions: after.conditions });
    expect(plan(later.after).decisions).toEqual([]);
  });

  it("is that one failed read means nothing while the last good one is young", () => {
    expect(judge({ failedRead: failing }).reachable).toMatchObject({ status: true });
  });

  it("ends with its declaration", () => {
    expect(judge({}, { hosts: [], conditions: judge({}).after.conditions }).after.conditions).toEqual([]);
  });
});
