import { describe, expect, it } from "vitest";
import { plan } from "./plan.js";
import { aConnection, aConnectionView, aSnapshot, now } from "./snapshot.fixture.js";
import type { ConnectionView, Snapshot } from "./snapshot.js";

/** Whether a connection that was polled so long ago is polled now. */
const isPolled = (agoMs: number, view: Partial<ConnectionView>, rest: Partial<Snapshot> = {}) => {
  const connections = [aConnectionView({ polledAt: now - agoMs, hookedAt: now - 3_600_000, ...view })];
  return plan(aSnapshot({ connections, ...rest })).effects.some(({ kind }) => kind === "poll");
};
const webhook = (status: boolean) => ({
  ...{ subject: { kind: "connection", name: "forge" }, type: "WebhookRegistered", status, reason: "Muted", message: "" },
  ...{ observedAt: now, count: 0 },
});

describe("a connection is polled", () => {
  it.each<[string, Partial<ConnectionView>, Partial<Snapshot>]>([
    ["no webhook ever came", { hookedAt: undefined }, {}],
    ["its leader has just begun", {}, { listeningSince: now - 119_999 }],
    ["a poll was the first to tell of something within five minutes", { newsByPollAt: now - 299_999 }, {}],
    ["its webhook is muted or missing", {}, { conditions: [webhook(false)] }],
  ])("often while %s", (_what, view, rest) => {
    expect([isPolled(7_999, view, rest), isPolled(10_000, view, rest)]).toEqual([false, true]);
  });

  it.each<[string, Partial<ConnectionView>, Partial<Snapshot>]>([
    ["webhooks come", { hookedAt: now - 1_000 }, {}],
    ["nothing happens", {}, {}],
    ["its webhook stands as it must", {}, { conditions: [webhook(true)] }],
    ["what a poll found is long ago", { newsByPollAt: now - 300_000 }, {}],
  ])("seldom while %s", (_what, view, rest) => {
    expect([isPolled(47_999, view, rest), isPolled(60_000, view, rest)]).toEqual([false, true]);
  });

  it("never more seldom than often", () => {
    const schedules = { ...aSnapshot().schedules, pollMs: 120_000 };
    expect([isPolled(90_000, {}, { schedules }), isPolled(120_000, {}, { schedules })]).toEqual([false, true]);
  });

  it("not at the same time as others", () => {
    const names = Array.from({ length: 40 }, (_, n) => `forge-${n}`);
    const polled = (agoMs: number) => {
      const connections = names.map((name) => aConnectionView({ spec: aConnection({ name }), polledAt: now - agoMs }));
      return plan(aSnapshot({ connections, pools: [] })).effects.length;
    };
    expect(polled(8_000)).toBeLessThan(8);
    expect(polled(9_000)).toBeGreaterThan(8);
    expect(polled(9_000)).toBeLessThan(32);
    expect(polled(10_000)).toBe(40);
  });
});
