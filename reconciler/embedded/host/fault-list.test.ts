import { describe, expect, it } from "vitest";
import { noFaults } from "./dials.js";
import { parseFaultList } from "./fault-list.js";

describe("a list of faults", () => {
  it("names faults with their chances, durations and a seed", () => {
    const { dials, seed } = parseFaultList("lost-answers, late-deletes,unavailable=0.05,latency=20,slow-pulls=1500,seed=7");
    expect(seed).toBe(7);
    expect(dials).toEqual({
      ...noFaults,
      latencyMs: 20,
      pullMs: 1500,
      chances: { cutAnswers: 0.1, lateDeletes: 0.1, unavailable: 0.05 },
    });
  });

  it.each([
    ["", '"" is refused: must be one of unavailable, lost-answers'],
    ["lost-answers,,crashes", '"" is refused'],
    ["lost", '"lost" is refused: must be one of'],
    ["crashes=2", '"crashes=2" is refused: must have a number from 0 to 1'],
    ["crashes=", '"crashes=" is refused: must have a number from 0 to 1'],
    ["latency", '"latency" is refused: must have a whole number from 0 to 600000'],
    ["latency=1.5", '"latency=1.5" is refused'],
    ["toString", '"toString" is refused: must be one of'],
  ])("is refused when it is %j", (text, message) => {
    expect(() => parseFaultList(text)).toThrow(expect.objectContaining({ code: "FR-INVALID", message: expect.stringContaining(message) }));
  });
});
