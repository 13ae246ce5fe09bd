import { expect, it } from "vitest";
import { describeRedis } from "./describe-redis.fixture.js";
import { runDrill } from "./drill.fixture.js";

describeRedis("three replicas on a Redis with Sentinel", () => {
  it("run every job once and leave nothing, while the leader is killed, stands still and is told to end, and the master of Redis dies", {
    timeout: 400_000,
  }, async () => {
    const report = await runDrill({
      hosts: 3,
      jobs: 48,
      jobMs: 300,
      steps: [{ kind: "kill-leader" }, { kind: "freeze-leader", forMs: 4_000 }, { kind: "stop-leader" }, { kind: "fail-over" }],
    });
    process.stdout.write(`${JSON.stringify(report)}\n`);
    expect(report.twice).toEqual([]);
    expect(report.jobs).toEqual({ success: 48 });
    expect(report.left).toEqual({ microvms: 0, records: 0, identities: 0, runners: 0 });
  });
});
