import { expect, it } from "vitest";
import { runTornHooks } from "../e2e/torn-hooks.fixture.js";

it("500 jobs over 20 projects, whose webhooks are lost (30 %), come twice (30 %) and in any order, each run once", async () => {
  const report = await runTornHooks({ projects: 20, jobsOfEach: 25, hosts: 8, deadlineMs: 600_000 });
  process.stdout.write(`${JSON.stringify({ ...report, jobs: [...report.jobs] })}\n`);
  expect(report.violations).toEqual([]);
  expect(report.jobs).toEqual(new Map([["success", 500]]));
  expect(report.ran).toBe(500);
  expect(report.left).toEqual({ microvms: 0, records: 0, identities: 0, runners: 0, hints: 0 });
  // One that was over before anybody told of it may never have been known.
  expect(report.found.count).toBeGreaterThan(50);
});
