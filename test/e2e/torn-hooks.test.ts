import { expect, it } from "vitest";
import { runTornHooks } from "./torn-hooks.fixture.js";

it("jobs of several projects, whose webhooks are lost, come twice and in any order, each run once", async () => {
  const report = await runTornHooks({ projects: 3, jobsOfEach: 8, hosts: 2, deadlineMs: 120_000 });
  expect(report.violations).toEqual([]);
  expect(report.jobs).toEqual(new Map([["success", 24]]));
  expect(report.ran).toBe(24);
  expect(report.left).toEqual({ microvms: 0, records: 0, identities: 0, runners: 0, hints: 0 });
});
