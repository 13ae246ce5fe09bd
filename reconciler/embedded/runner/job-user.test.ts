import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { aJob, startCoordinator, step, variable } from "./coordinator.fixture.js";
import { findJobUser } from "./job-user.js";
import { startRunner } from "./runner.fixture.js";

/** Somebody without rights whom every machine knows. */
const other = "nobody";

// Only root can start a program as somebody else.
describe.skipIf(process.getuid?.() !== 0)("a job of another user than its runner", () => {
  test("has its project and its files, and can neither change where its runner writes nor look into it", async () => {
    const script = [
      "id -un",
      'echo "home $HOME, user $USER, groups $(id -G)"',
      "echo own >written && cat written",
      'cat "$CERTIFICATE"',
      'touch "$(dirname "$0")/planted" || echo "no files beside the scripts"',
      'rm -r ../demo.tmp 2>/dev/null || echo "the folder of the scripts stays"',
      `cat /proc/${process.pid}/environ >/dev/null || echo "the runner's environment is shut"`,
      `kill -0 ${process.pid} || echo "the runner hears no signal"`,
    ];
    const file = { ...variable("CERTIFICATE", "only for the job"), file: true };
    const variables = [variable("GIT_STRATEGY", "none"), file];
    const gitlab = await startCoordinator(aJob({ variables, steps: [step("script", script), step("after_script", ["echo afterwards"])] }));
    const user = await findJobUser(other);
    const runner = startRunner(gitlab, { jobUser: user });
    chmodSync(runner.directory, 0o755);
    await runner.ended;
    const log = gitlab.log();
    for (const line of [
      `\n${other}\n`,
      `home ${user.home}, user ${other}, groups ${user.gid}\n`,
      "\nown\n",
      "\nonly for the job",
      "no files beside the scripts",
      "the folder of the scripts stays",
      "the runner's environment is shut",
      "the runner hears no signal",
      "\nafterwards\n",
    ]) {
      expect(log).toContain(line);
    }
    expect(gitlab.of("update").at(-1)?.body).toMatchObject({ state: "success" });
    expect(statSync(join(runner.directory, "builds/0/group/demo/written")).uid).toBe(user.uid);
    expect(statSync(join(runner.directory, "builds")).uid).toBe(0);
  });
});
