import { rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { hunt, plant, plantedBugs, plantedDirectory } from "../../reconciler/simulator/planted-bugs.fixture.js";

const minute = 60_000;

afterAll(() => rmSync(plantedDirectory(""), { recursive: true, force: true }));

describe("the simulator finds within a minute", () => {
  it.each(Object.entries(plantedBugs))("%s", async (name, edits) => {
    const directory = plantedDirectory(name);
    plant(edits, directory);
    const { seeds, broken } = await hunt(directory, minute);
    process.stdout.write(`${name}: found with seed ${broken[0]?.seed}, after ${seeds} seeds: ${broken[0]?.violations[0]?.slice(0, 200)}\n`);
    expect(broken).toHaveLength(1);
  });
});
