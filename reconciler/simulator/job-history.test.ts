import { expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { playDay, usualFleet } from "./day.js";
import { parseJobHistory } from "./job-history.js";

const header = "created_at,duration_s,tags,project_id,name";
const parse = (...rows: readonly string[]) => parseJobHistory(`${[header, ...rows].join("\n")}\n`, "day.csv");

it("is read in the order in which its jobs came", () => {
  expect(parse('2026-03-02T09:15:00Z,12.5,"vm;large",7,"build, all"', "2026-03-02 08:00:00 UTC,0,,8,", "")).toEqual([
    { createdAt: Date.UTC(2026, 2, 2, 8), durationMs: 0, tags: [], projectId: 8, name: "job of line 3" },
    { createdAt: Date.UTC(2026, 2, 2, 9, 15), durationMs: 12_500, tags: ["vm", "large"], projectId: 7, name: "build, all" },
  ]);
});

it.each([
  ["", "day.csv:1: is empty: must begin with a line of column names"],
  ["created_at,tags\n", "day.csv:1: duration_s, project_id: no such column; there are: created_at, tags"],
  [`${header},tags\n`, "day.csv:1: tags: is there twice"],
  [`${header}\n`, "day.csv:1: no jobs: must be followed by a line for each job"],
  [`${header}\nyesterday,1,,7,a\n`, 'day.csv:2: created_at: "yesterday" is refused: must be a time such as 2026-03-02T09:15:00Z'],
  [`${header}\n2026-03-02T09:15:00Z,-1,,7,a\n`, 'day.csv:2: duration_s: "-1" is refused: must be seconds, 0 or more'],
  [`${header}\n2026-03-02T09:15:00Z,1,,1.5,a\n`, 'day.csv:2: project_id: "1.5" is refused: must be a whole number above 0'],
  [`${header}\n2026-03-02T09:15:00Z,1,,7\n`, "day.csv:2: line: has 4 fields: must have 5"],
  [`${header}\n2026-03-02T09:15:00Z,1,"vm,7,a\n`, "day.csv:2: a quote is opened here and never closed"],
])("%j is refused with its line and field", (text, message) => {
  expect(() => parseJobHistory(text, "day.csv")).toThrow(new FireRunnerError("FR-INVALID", message));
});

it("is played on a fleet, which tells how long jobs waited and how hosts were used", async () => {
  const jobs = Array.from({ length: 12 }, (_, n) => `2026-03-02T09:${String(n).padStart(2, "0")}:00Z,60,vm,7,test`);
  const past = parse(...jobs);
  const report = await playDay(past, usualFleet(past, 1), 1);
  expect(report).toMatchObject({ jobs: 12, finished: 12, lifecycles: 12, violations: [], unserved: {} });
  expect(report.waiting.p50).toBeGreaterThan(500);
  expect(report.waiting.max).toBeLessThan(10_000);
  expect(report.hosts).toMatchObject([{ host: "host-1", vcpu: 16 }]);
  expect(report.hosts[0]?.mostMicrovms).toBeGreaterThan(0);
});
