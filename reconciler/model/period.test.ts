import { describe, expect, it } from "vitest";
import { holds, type Period, parsePeriod } from "./period.js";
import { poolSchema } from "./pool.js";
import { parseOrRefuse } from "./validation.js";

const read = (text: string): Period => {
  const period = parsePeriod(text);
  if ("why" in period) throw new Error(period.why);
  return period;
};
const at = (iso: string) => {
  const date = new Date(`${iso}Z`);
  return {
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay(),
  };
};

describe("a period", () => {
  it.each([
    ["* * * * *", "2026-11-24T00:00", true],
    ["* 8-18 * * 1-5", "2026-11-24T08:00", true],
    ["* 8-18 * * 1-5", "2026-11-24T18:59", true],
    ["* 8-18 * * 1-5", "2026-11-24T19:00", false],
    ["* 8-18 * * 1-5", "2026-11-28T12:00", false],
    ["* 8-15 * * mon-fri", "2026-11-27T15:59", true],
    ["* * * * sat,SUN", "2026-11-29T12:00", true],
    ["* * * * 7", "2026-11-29T12:00", true],
    ["* * * * 0", "2026-11-29T12:00", true],
    ["* * * * 5-7", "2026-11-29T12:00", true],
    ["* * * * sat-sun", "2026-11-29T12:00", true],
    ["* * * * sun-tue", "2026-11-29T12:00", true],
    ["* * * * sun-tue", "2026-11-27T12:00", false],
    ["* * * nov-dec *", "2026-11-27T12:00", true],
    ["* * * 1-10 *", "2026-11-27T12:00", false],
    ["*/15 * * * *", "2026-11-27T12:45", true],
    ["*/15 * * * *", "2026-11-27T12:44", false],
    ["* 0-12/2 * * *", "2026-11-27T10:30", true],
    ["* 0-12/2 * * *", "2026-11-27T11:30", false],
    ["0,5-9 * * * *", "2026-11-27T11:09", true],
    ["0,5-9 * * * *", "2026-11-27T11:04", false],
    // Either day is enough where both are restricted, and both are needed where one begins with a star.
    ["* * 13 * fri", "2026-11-13T12:00", true],
    ["* * 13 * fri", "2026-11-20T12:00", true],
    ["* * 13 * fri", "2026-12-13T12:00", true],
    ["* * 13 * fri", "2026-11-19T12:00", false],
    ["* * */2 * fri", "2026-11-13T12:00", true],
    ["* * */2 * fri", "2026-11-20T12:00", false],
    ["* * */2 * fri", "2026-11-15T12:00", false],
  ])("%s at %s: %s", (text, when, expected) => {
    expect(holds(read(text), at(when))).toBe(expected);
  });

  it.each([
    ["* * 9-17 * * mon-fri *", "7 fields"],
    ["", "1 fields"],
    ["60 * * * *", 'the minute "60" is not of 0-59'],
    ["* 24 * * *", 'the hour "24"'],
    ["* * 0 * *", 'the day of month "0"'],
    ["* * * 13 *", 'the month "13"'],
    ["* * * janvier *", 'the month "janvier" is not of 1-12 or names such as jan'],
    ["* * * * 8", 'the day of week "8" is not of 0-7 or names such as mon'],
    ["* 18-8 * * *", 'the hour "18-8" is a range that ends before it begins'],
    ["* * * * fri-mon", "ends before it begins"],
    ["5/10 * * * *", "5-59/10 has both"],
    ["*/0 * * * *", 'the minute "*/0"'],
    ["*/x * * * *", 'the minute "*/x"'],
    ["1,,2 * * * *", 'the minute ""'],
    ["1-2-3 * * * *", 'the minute "1-2-3"'],
    ["*-5 * * * *", 'the minute "*-5"'],
    ["*/2/3 * * * *", 'the minute "*/2/3"'],
    ["@daily", "1 fields"],
    ["mon * * * *", 'the minute "mon"'],
    ["-1 * * * *", 'the minute "-1"'],
  ])("%j is refused", (text, why) => {
    const period = parsePeriod(text);
    expect("why" in period ? period.why : "accepted").toContain(why);
  });
});

describe("a pool's idle policy", () => {
  const refusal = (policy: object) => {
    const pool = {
      name: "p",
      connection: "c",
      image: "i",
      tags: ["t"],
      sizes: { s: { vcpu: 1, memoryMb: 1024 } },
      size: "s",
      maxMicrovms: 3,
    };
    try {
      parseOrRefuse(poolSchema, { ...pool, idlePolicies: [policy] }, 'pool "p"');
      return "accepted";
    } catch (caught) {
      return caught instanceof Error ? caught.message : "";
    }
  };

  it.each([
    [{ periods: ["* 8-18 * * *"] }, "accepted"],
    [{ periods: ["* 8-18 * * *"], timezone: "Europe/Berlin", minIdle: 3 }, "accepted"],
    [{ periods: ["* 25 * * *"] }, '"* 25 * * *" is refused'],
    [{ periods: ["* * * * *", "x"] }, "idlePolicies[0].periods[1]"],
    [{ periods: [] }, "must name at least one period"],
    [{ periods: ["* * * * *"], timezone: "Europe/Atlantis" }, '"Europe/Atlantis" is refused: must be an IANA time zone'],
    [{ periods: ["* * * * *"], timezone: "+02:00" }, '"+02:00" is refused'],
    [{ periods: ["* * * * *"], minIdle: 4 }, "idlePolicies[0].minIdle: 4 is refused: must be at most maxMicrovms (3)"],
  ])("%j: %s", (policy, expected) => {
    expect(refusal(policy)).toContain(expected);
  });
});
