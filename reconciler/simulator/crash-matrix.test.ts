import { describe, expect, it } from "vitest";
import { crashAt, crashPaths, recordPath } from "./crash-paths.fixture.js";

/** All points take minutes: they are in the long suite, which sets this to 1. */
const every = Number(process.env.FIRERUNNER_CRASH_EVERY ?? "10");

describe("a process that is killed at any of its calls, before it is made or before its answer comes", () => {
  it.each(Object.entries(crashPaths))("is followed by one that makes all right: %s", { timeout: 900_000 }, async (name, path) => {
    const recorded = await recordPath(path);
    let points = 0;
    for (let n = 0; n < recorded.length; n += every) {
      for (const fate of ["dies-before", "dies-after"] as const) {
        points += 1;
        expect(await crashAt(path, recorded, n, fate), `${name}, call ${n} (${JSON.stringify(recorded[n])}), ${fate}`).toEqual([]);
      }
    }
    // Every call on the way is a point, before and after it: those that a change adds are points without anybody's doing.
    if (every === 1) process.stdout.write(`crash matrix, ${name}: ${points} points\n`);
    expect(points).toBeGreaterThan(0);
  });
});
