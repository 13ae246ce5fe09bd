import { expect, it } from "vitest";
import { describeRedis } from "../redis/describe-redis.fixture.js";
import { type DrillStep, percentile, runDrill } from "../redis/drill.fixture.js";

/** The leader is killed twenty times, the master of Redis five times, one leader stands still for a minute, and all are updated once. */
const steps: readonly DrillStep[] = [
  ...Array.from({ length: 5 }, (): DrillStep[] => [
    ...Array.from({ length: 4 }, (): DrillStep => ({ kind: "kill-leader" })),
    { kind: "fail-over" },
  ]).flat(),
  { kind: "freeze-leader", forMs: 60_000 },
  { kind: "roll" },
];

describeRedis("three replicas on a Redis with Sentinel", () => {
  it("run each of 1,000 jobs once and leave nothing, whatever dies, and another one leads within five seconds", async () => {
    const report = await runDrill({ hosts: 6, jobs: 1_000, jobMs: 500, steps });
    const p99 = percentile(report.takeoversMs, 0.99);
    process.stdout.write(`${JSON.stringify({ p99, p50: percentile(report.takeoversMs, 0.5), ...report })}\n`);
    expect(report.twice).toEqual([]);
    expect(report.jobs).toEqual({ success: 1_000 });
    expect(report.left).toEqual({ microvms: 0, records: 0, identities: 0, runners: 0 });
    expect(p99).toBeLessThan(5_000);
  });
});
