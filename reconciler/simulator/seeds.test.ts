import { describe, expect, it } from "vitest";
import { playSeed } from "./hunt.js";

describe("the service in a world that one seed decides", () => {
  const seeds = Number(process.env.FIRERUNNER_SEEDS ?? "60");
  const first = Number(process.env.FIRERUNNER_FIRST_SEED ?? "1");

  it("ends every job once and leaves nothing behind, whatever fails on the way", { timeout: 60_000 + seeds * 1_000 }, async () => {
    for (let seed = first; seed < first + seeds; seed++) {
      const { played } = await playSeed(seed);
      expect(played.violations, `firerunner simulate --seed ${seed}`).toEqual([]);
    }
  });
});
