import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Microvm } from "../model/microvm.js";
import type { Pool } from "../model/pool.js";
import { nextMinute } from "../model/time-zone.js";
import { planUntilDone } from "./apply-plan.fixture.js";
import { idleNumbersAt, idleTarget } from "./idle-target.js";
import { plan } from "./plan.js";
import { aHost, aHostView, aPool, aSnapshot, shownVm } from "./snapshot.fixture.js";

const minute = 60_000;
const day = 86_400_000;

/** When clocks change there, and by how much: UTC, and from one offset of minutes to the other. Asia/Kolkata never changes. */
const changes = [
  { timezone: "Europe/Berlin", at: Date.UTC(2026, 2, 29, 1), before: 60, after: 120 },
  { timezone: "Europe/Berlin", at: Date.UTC(2026, 9, 25, 1), before: 120, after: 60 },
  { timezone: "America/New_York", at: Date.UTC(2026, 2, 8, 7), before: -300, after: -240 },
  { timezone: "America/New_York", at: Date.UTC(2026, 10, 1, 6), before: -240, after: -300 },
  { timezone: "Australia/Lord_Howe", at: Date.UTC(2026, 3, 4, 15), before: 660, after: 630 },
  { timezone: "Australia/Lord_Howe", at: Date.UTC(2026, 9, 3, 15, 30), before: 630, after: 660 },
  { timezone: "Asia/Kolkata", at: Date.UTC(2026, 2, 29, 1), before: 330, after: 330 },
] as const;
type Change = (typeof changes)[number];

/** A wall clock that knows its zone's change by heart. */
function wall({ at: changeAt, before, after }: Change, at: number) {
  const date = new Date(at + (at < changeAt ? before : after) * minute);
  return [date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate(), date.getUTCMonth() + 1, date.getUTCDay()] as const;
}

/** A field as numbers, and as text that means the same. */
interface DrawnField {
  readonly text: string;
  readonly has: (value: number) => boolean;
  readonly any: boolean;
}

function field(min: number, max: number): fc.Arbitrary<DrawnField> {
  const star = fc.constant<DrawnField>({ text: "*", has: () => true, any: true });
  const stepped = fc
    .integer({ min: 2, max: 7 })
    .map((step): DrawnField => ({ text: `*/${step}`, has: (v) => (v - min) % step === 0, any: true }));
  const range = fc
    .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 4 }))
    .map(([a, b, step]): DrawnField => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const text = from === to ? `${from}` : step === 1 ? `${from}-${to}` : `${from}-${to}/${step}`;
      return { text, has: (v) => v >= from && v <= to && (v - from) % step === 0, any: false };
    });
  const list = fc
    .tuple(range, range)
    .map(([a, b]): DrawnField => ({ text: `${a.text},${b.text}`, has: (v) => a.has(v) || b.has(v), any: false }));
  return fc.oneof(
    { arbitrary: star, weight: 4 },
    { arbitrary: stepped, weight: 1 },
    { arbitrary: range, weight: 3 },
    { arbitrary: list, weight: 1 },
  );
}

const names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const weekday = fc.oneof(
  field(0, 6),
  fc.integer({ min: 0, max: 6 }).map((n): DrawnField => ({ text: names[n] ?? "", has: (v) => v === n, any: false })),
  fc.constant<DrawnField>({ text: "5-7", has: (v) => v === 5 || v === 6 || v === 0, any: false }),
);
const period = fc.tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), weekday);
type DrawnPeriod = readonly [DrawnField, DrawnField, DrawnField, DrawnField, DrawnField];

/** GitLab's rule, written down once more: cron's, with either day where both are restricted. */
function isHeld([minutes, hours, days, months, weekdays]: DrawnPeriod, [m, h, d, mon, w]: ReturnType<typeof wall>): boolean {
  const day = days.any || weekdays.any ? days.has(d) && weekdays.has(w) : days.has(d) || weekdays.has(w);
  return minutes.has(m) && hours.has(h) && months.has(mon) && day;
}

/** Policies of one zone whose clocks change, and of Kolkata, where they never do. */
const week = fc.constantFrom(...changes).chain((centre) =>
  fc.record({
    centre: fc.constant(centre),
    policies: fc.array(
      fc.record({
        change: fc.constantFrom<Change>(centre, changes[6]),
        periods: fc.array(period, { minLength: 1, maxLength: 2 }),
        minIdle: fc.integer({ min: 0, max: 5 }),
        idleTimeS: fc.constantFrom(0, 60, 1800),
      }),
      { maxLength: 3 },
    ),
    second: fc.nat({ max: 59 }),
  }),
);

describe("a simulated week with a change of the clocks", () => {
  it("has in every minute the numbers that GitLab's rules give: the last policy whose period holds, else the pool's own", () => {
    fc.assert(
      fc.property(week, ({ centre, policies, second }) => {
        const pool = aPool({
          minIdle: 7,
          maxMicrovms: 10,
          idlePolicies: policies.map(({ change, periods, minIdle, idleTimeS }) => ({
            periods: periods.map((fields) => fields.map(({ text }) => text).join(" ")),
            timezone: change.timezone,
            minIdle,
            idleTimeS,
          })),
        });
        const begin = centre.at - 3 * day - 12 * 60 * minute;
        for (let at = begin + second * 1_000; at < begin + 7 * day; at += 11 * minute) {
          const expected = policies.findLast(({ change, periods }) => periods.some((fields) => isHeld(fields, wall(change, at))));
          const found = idleNumbersAt(pool, at);
          if (found.minIdle === (expected?.minIdle ?? 7) && found.idleTimeS === (expected?.idleTimeS ?? 300)) continue;
          expect.fail(`${new Date(at).toISOString()}: ${found.minIdle} instead of ${expected?.minIdle ?? 7}`);
        }
      }),
      { numRuns: 40 },
    );
  });

  it.each(changes)("keeps office hours by the clocks of $timezone around $at", (change) => {
    const pool = aPool({ idlePolicies: [{ periods: ["* 8-17 * * *"], timezone: change.timezone, minIdle: 2 }] });
    let held = 0;
    for (let at = change.at - 3 * day; at < change.at + 4 * day; at += minute) {
      const [, hour] = wall(change, at);
      const isOffice = hour >= 8 && hour < 18;
      if (isOffice) held += 1;
      if (idleNumbersAt(pool, at).minIdle !== (isOffice ? 2 : 0)) expect.fail(`${new Date(at).toISOString()} is ${hour} o'clock`);
    }
    expect(held).toBe(7 * 10 * 60);
  });
});

describe("how many are kept ready", () => {
  it.each([
    ["the least", { minIdle: 3, scaleFactor: 0, scaleFactorLimit: 0 }, 100, 3],
    ["a part of those in use, rounded up", { minIdle: 1, scaleFactor: 0.25, scaleFactorLimit: 0 }, 9, 3],
    ["the least when that is more", { minIdle: 4, scaleFactor: 0.5, scaleFactorLimit: 0 }, 4, 4],
    ["the limit of the part", { minIdle: 1, scaleFactor: 2, scaleFactorLimit: 5 }, 100, 5],
    ["the least although the limit is lower", { minIdle: 6, scaleFactor: 2, scaleFactorLimit: 5 }, 100, 6],
    ["nothing of nothing", { minIdle: 0, scaleFactor: 2, scaleFactorLimit: 5 }, 0, 0],
  ])("is %s", (_what, numbers, inUse, expected) => {
    expect(idleTarget({ ...numbers, idleTimeS: 60 }, inUse)).toBe(expected);
  });
});

describe("the plan", () => {
  it("keeps what each minute says, and wakes when the next begins", () => {
    const pool = aPool({ idlePolicies: [{ periods: ["30-31 * * * *"], minIdle: 2 }] });
    const at = Date.UTC(2026, 10, 24, 12, 29, 50);
    const hosts = aSnapshot().hosts.map((host) => ({ ...host, observation: { startedAt: at - 20, at: at - 10, microvms: new Map() } }));
    const connections = aSnapshot().connections.map((view) => ({ ...view, readAt: at, polledAt: at, sweptAt: at, checkedAt: at }));
    const quiet = aSnapshot({ now: at, hosts, connections, pools: [{ spec: pool, paused: false }] });
    expect(planUntilDone(quiet).after.microvms).toHaveLength(0);
    expect(nextMinute(at)).toBe(at + 10_000);
    const wakeAt = plan({ ...quiet, schedules: { pollMs: day, pollHealthyMs: day, listHostsMs: day, sweepMs: day, settleMs: 1 } }).wakeAt;
    expect(wakeAt).toBeLessThanOrEqual(at + 10_000);
    expect(planUntilDone({ ...quiet, now: at + 10_000 }).after.microvms).toHaveLength(2);
  });

  it("is not woken every minute for a pool without policies", () => {
    const { pools, ...rest } = aSnapshot();
    const schedules = { pollMs: day, pollHealthyMs: day, listHostsMs: day, sweepMs: day, settleMs: 1 };
    const wakeOf = (spec: ReturnType<typeof aPool>) => plan({ ...rest, schedules, pools: pools.map((view) => ({ ...view, spec })) }).wakeAt;
    expect(wakeOf(aPool()) ?? day * 1e6).toBeGreaterThan(rest.now + minute);
    expect(wakeOf(aPool({ idlePolicies: [{ periods: ["* 8-9 * * *"] }] }))).toBeLessThanOrEqual(rest.now + minute);
  });

  it("keeps in every hour of a week with a change of the clocks just as many as are to be ready", () => {
    const [change] = changes;
    const pool = aPool({
      maxMicrovms: 4,
      idlePolicies: [{ periods: ["* 8-17 * * 1-5", "* 2 * * 0"], timezone: change.timezone, minIdle: 3, idleTimeS: 0 }],
      idleTimeS: 0,
    });
    let microvms: readonly Microvm[] = [];
    for (let at = change.at - 3 * day; at < change.at + 4 * day; at += 60 * minute) {
      microvms = afterAnHour(pool, microvms, at);
      const [, hour, , , weekday] = wall(change, at);
      const isHeld = weekday === 0 ? hour === 2 : weekday < 6 && hour >= 8 && hour < 18;
      expect(microvms.length, new Date(at).toISOString()).toBe(isHeld ? 3 : 0);
    }
  });
});

/** What is parked when everything has been done that the plan asks for at a time. */
function afterAnHour(spec: Pool, before: readonly Microvm[], at: number): readonly Microvm[] {
  const { connections, ...rest } = aSnapshot({ now: at, microvms: before, pools: [{ spec, paused: false }] });
  const view = { readAt: at, polledAt: at, sweptAt: at, checkedAt: at };
  const shown = before.map(({ name }) => shownVm({ name }));
  const hosts = [
    aHostView(aHost(), shown, { observation: { startedAt: at - 10, at, microvms: new Map(shown.map((vm) => [vm.uid, vm])) } }),
  ];
  const heardAt = new Map(before.map(({ name }) => [name, at]));
  const read = connections.map((each) => ({ ...each, ...view }));
  const { after } = planUntilDone({ ...rest, hosts, heardAt, connections: read });
  const staying = after.microvms.filter(({ phase }) => phase !== "draining" && phase !== "deleting");
  return staying.map((vm) => ({ ...vm, phase: "parked", uid: `uid-${vm.name}`, createdAt: at, claimedAt: vm.claimedAt ?? at }));
}
