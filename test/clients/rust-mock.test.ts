import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { RunnerOptions } from "../../reconciler/embedded/runner/run-runner.js";
import { startRunner } from "../../reconciler/embedded/runner/runner.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeWith, startRust } from "./clients.fixture.js";

interface MockJob {
  readonly name?: string;
  readonly script: readonly string[];
  readonly after?: readonly string[];
  readonly variables?: readonly (readonly [key: string, value: string])[];
}

/** The crate's coordinator with these jobs, and the embedded runner at work on them. */
async function startAgainstMock(jobs: readonly MockJob[], changes: Partial<RunnerOptions> = {}) {
  const mock = startRust("serve-mock");
  const { url, token } = await mock.next();
  const ids: number[] = [];
  for (const { name = "job", script, after = [], variables = [] } of jobs) {
    // What it hands out names a repository that nobody serves.
    const all = [["GIT_STRATEGY", "none"], ...variables];
    ids.push((await mock.ask({ do: "add", name, script, after, variables: all })).id);
  }
  const [id = 0, next = 0] = ids;
  const runner = startRunner({ url }, { token, maxBuilds: jobs.length, ...changes });
  return { id, next, runner, ask: (what: "cancel" | "show", of: number) => mock.ask({ do: what, id: of }) };
}

describeWith("rust", "the embedded runner and the crate gitlab-runner-mock agree on", () => {
  it("a job that succeeds, with its variables, its after_script and its log", async () => {
    const { id, runner, ask } = await startAgainstMock([
      { script: ['echo "hello $WHO"', "echo to-stderr >&2"], after: ['echo "was $CI_JOB_STATUS"'], variables: [["WHO", "harbour"]] },
    ]);
    expect(await runner.ended, runner.lines.join("\n")).toEqual({ reason: "builds-done", builds: 1 });
    const { state, log } = await ask("show", id);
    expect(state, log).toBe("success");
    for (const line of ["hello harbour\n", "to-stderr\n", "was success\n", "Job succeeded"]) expect(log).toContain(line);
  });

  it("a script that fails", async () => {
    const { id, runner, ask } = await startAgainstMock([{ script: ["exit 7"], after: ['echo "was $CI_JOB_STATUS"'] }]);
    expect(await runner.ended).toEqual({ reason: "builds-done", builds: 1 });
    const { state, log } = await ask("show", id);
    expect(state, log).toBe("failed");
    expect(log).toContain("was failed\n");
    expect(log).toContain("ERROR: Job failed: exit status 7");
  });

  it("a log that is sent in pieces, each where the last one ended", async () => {
    const { id, runner, ask } = await startAgainstMock([{ script: ["echo first", "while [ ! -e go ]; do sleep 0.05; done", "echo last"] }]);
    const project = join(runner.directory, "builds/0/dummy");
    await until("the script", () => existsSync(project));
    await runner.advanceUntil(3_000, () => runner.clock.waits(1_000), "the interval that the coordinator asks for");
    expect((await ask("show", id)).patches).toBeGreaterThanOrEqual(1);
    expect((await ask("show", id)).state).toBe("running");
    writeFileSync(join(project, "go"), "");
    await runner.ended;
    const { state, log, patches } = await ask("show", id);
    expect(state, log).toBe("success");
    expect(patches).toBeGreaterThanOrEqual(2);
    expect(log.indexOf("first\n")).toBeLessThan(log.indexOf("last\n"));
    expect(log.endsWith("Job succeeded\u001b[0;m\n")).toBe(true);
  });

  it("a job that is cancelled: it is ended, and the next one is taken", async () => {
    const { id, next, runner, ask } = await startAgainstMock([
      { script: ["touch started", "while true; do echo tick; sleep 0.05; done"] },
      { script: ["echo the next"] },
    ]);
    await until("the script", () => existsSync(join(runner.directory, "builds/0/dummy/started")));
    await ask("cancel", id);
    let over = false;
    void runner.ended.then(() => {
      over = true;
    });
    await until("the end", async () => {
      if (!over) await runner.clock.advance(1_000);
      return over;
    });
    expect(await runner.ended).toEqual({ reason: "builds-done", builds: 2 });
    expect((await ask("show", id)).state).toBe("canceled");
    expect(await ask("show", next)).toMatchObject({ state: "success", log: expect.stringContaining("the next\n") });
  });

  it("a token that is not the runner's", async () => {
    const { id, runner, ask } = await startAgainstMock([{ script: ["true"] }], { token: "glrt-another" });
    expect(await runner.ended).toEqual({ reason: "forbidden", builds: 0 });
    expect((await ask("show", id)).state).toBe("pending");
  });
});
