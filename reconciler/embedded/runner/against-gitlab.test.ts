import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../../model/until.fixture.js";
import { startTestGitLab } from "../gitlab/gitlab.fixture.js";
import { startRunner } from "./runner.fixture.js";

/** The embedded GitLab with one job of a pushed project, and this runner at work on it. */
async function runJobOf(ciFile: string) {
  const world = await startTestGitLab();
  const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": ciFile, "greetings/en.txt": "Hello\n" });
  const { token } = await world.runner(projectId);
  const runner = startRunner({ url: world.gitlab.url }, { token });
  const jobs = async () => (await world.api("GET", `/projects/${projectId}/jobs`)).body;
  const log = async () => (await world.api("GET", `/projects/${projectId}/jobs/${(await jobs())[0].id}/trace`)).text;
  return { world, projectId, runner, jobs, log };
}

test("a pushed project's job runs on its files and variables, and its log and result are GitLab's", async () => {
  const { runner, jobs, log } = await runJobOf(`
variables: {TEAM: platform}
unit:
  before_script: [echo "for $TEAM"]
  script:
    - cat greetings/*.txt
    - test "$(git rev-parse HEAD)" = "$CI_COMMIT_SHA" && test "$CI_PROJECT_DIR" = "$PWD" && git fetch --quiet origin && echo "fetched again"
  after_script: [echo "was $CI_JOB_STATUS"]
`);
  expect(await runner.ended, runner.lines.join("\n")).toEqual({ reason: "builds-done", builds: 1 });
  const text = await log();
  expect(text).toContain("for platform\n");
  expect(text).toContain("Hello\n");
  expect(text).toContain("fetched again\n");
  expect(text).toContain("was success\n");
  expect(await jobs()).toMatchObject([{ status: "success", name: "unit", runner_manager: { system_id: "r_1234567890ab" } }]);
});

test("a script's failure is GitLab's, with its reason", async () => {
  const { runner, jobs, log } = await runJobOf("unit: {script: [exit 3]}");
  await runner.ended;
  expect(await log()).toContain("ERROR: Job failed: exit status 3");
  expect(await jobs()).toMatchObject([{ status: "failed", failure_reason: "script_failure" }]);
});

test("a job that somebody cancels is stopped, tidies up and is canceled", async () => {
  const { world, projectId, runner, jobs, log } = await runJobOf(`
unit:
  script: [touch started, sleep 1000]
  after_script: [echo "was $CI_JOB_STATUS"]
`);
  await until(() => existsSync(join(runner.directory, "builds/0/root/demo/started")), "the script");
  await world.api("POST", `/projects/${projectId}/jobs/${(await jobs())[0].id}/cancel`);
  await runner.advanceUntil(3_000, () => runner.lines.some((line) => line.startsWith("Job")), "the end");
  await runner.ended;
  expect(await log()).toContain("was canceled\n");
  expect(await jobs()).toMatchObject([{ status: "canceled" }]);
});
