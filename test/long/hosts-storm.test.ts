import { describe, expect, it } from "vitest";
import { runStorm } from "../e2e/hosts-storm.fixture.js";

describe("a storm: 20 hosts that fail in every way by chance, and 2,000 jobs", () => {
  it.each([1, 2])("ends every job well, is never over capacity, gives no address twice, and leaves nothing (seed %i)", async (seed) => {
    const faults = [
      "unavailable=0.02",
      "lost-answers=0.02",
      "hung-answers=0.001",
      "failed-builds=0.03",
      "failed-lists=0.1",
      "lost-deletes=0.5",
      "late-deletes=0.1",
      "crashes=0.02",
      "latency=2",
    ];
    const report = await runStorm({ hosts: 20, jobs: 2_000, faults: faults.join(), outageEveryMs: 2_000, seed, deadlineMs: 1_200_000 });
    expect(report.violations).toEqual([]);
    expect(report.jobs).toEqual(new Map([["success", 2_000]]));
    expect(report.left).toEqual({ microvms: 0, records: 0, identities: 0, runners: 0, hints: 0 });
    expect(report.microvms).toBeGreaterThanOrEqual(2_000);
    // Faults were met, and each has its reason.
    expect(report.failures.size).toBeGreaterThan(0);
    process.stdout.write(`${JSON.stringify({ ...report, jobs: [...report.jobs], failures: [...report.failures] })}\n`);
  });
});
