import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../e2e/child.fixture.js";
import { recoverFromKills, spread } from "../e2e/recovery.fixture.js";

const seed = Number(process.env.FIRERUNNER_SEED ?? Math.floor(Math.random() * 2 ** 31));
const kills = Number(process.env.FIRERUNNER_KILLS ?? "200");

it(`a service that is killed ${kills} times under load loses nothing, and has its next microVM created at once (FIRERUNNER_SEED=${seed})`, async () => {
  // As it is installed: from its sources it would have to be translated at each start.
  const built = mkdtempSync(join(root, "dist-"));
  try {
    const compiled = spawnSync(process.execPath, ["--import", "tsx", join("scripts", "build.ts"), built], {
      cwd: root,
      encoding: "utf8",
      timeout: 300_000,
    });
    expect(compiled.stdout + compiled.stderr).toBe("");
    const { jobs, firstCreateMs } = await recoverFromKills({
      seed,
      kills,
      command: [process.execPath, join(built, "reconciler", "cli", "bin.js")],
    });
    const { median, p95 } = spread(firstCreateMs);
    console.log(
      `${kills} kills, ${jobs} jobs: from the start of the process to the first Create ${median.toFixed(0)} ms at the median, ${p95.toFixed(0)} ms at the 95th percentile, ${Math.max(...firstCreateMs).toFixed(0)} ms at most`,
    );
    expect(firstCreateMs).toHaveLength(kills);
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
});
