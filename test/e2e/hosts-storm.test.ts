import { describe, expect, it } from "vitest";
import { runStorm } from "./hosts-storm.fixture.js";

describe("a small storm: hosts that fail by chance, and more jobs than they have room for", () => {
  it("ends every job well, is never over capacity, gives no address twice, and leaves nothing", async () => {
    const report = await runStorm({
      hosts: 4,
      jobs: 48,
      faults: "lost-answers=0.05,failed-builds=0.05,failed-lists=0.1,lost-deletes=0.5,late-deletes=0.05,crashes=0.05",
      seed: 1,
      deadlineMs: 150_000,
    });
    expect(report.violations).toEqual([]);
    expect(report.jobs).toEqual(new Map([["success", 48]]));
    expect(report.left).toEqual({ microvms: 0, records: 0, identities: 0, runners: 0, hints: 0 });
    expect(report.most).toBeGreaterThan(4);
  });
});
