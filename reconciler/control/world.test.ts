import { describe, expect, it } from "vitest";
import { live } from "./world-life.fixture.js";

describe("the loop in a world that one seed decides", () => {
  const seeds = Number(process.env.FIRERUNNER_SEEDS ?? "120");
  const first = Number(process.env.FIRERUNNER_FIRST_SEED ?? "1");

  it.each([
    [48, "an adopted microVM is larger than its pool's usual ones"],
    [69, "a microVM is still being deleted when its record is lost"],
    [900_333, "the clock is set back to a time at which the leader only stood by"],
  ])("ends as it should when (seed %i) %s", async (seed) => {
    expect((await live(seed)).violations).toEqual([]);
  });

  it("ends every job once and leaves nothing behind, whatever fails on the way", { timeout: 60_000 + seeds * 1_000 }, async () => {
    for (let seed = first; seed < first + seeds; seed++) {
      const world = await live(seed);
      if (world.violations.length > 0 && process.env.FIRERUNNER_WORLD_LOG !== undefined) process.stderr.write(`${world.log.join("\n")}\n`);
      expect(world.violations, `seed ${seed}; alone: FIRERUNNER_FIRST_SEED=${seed} FIRERUNNER_SEEDS=1`).toEqual([]);
    }
  });
});
