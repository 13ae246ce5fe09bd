import { describe, expect, test } from "vitest";
import { until } from "../../model/until.fixture.js";
import { aJob, type Reply, startCoordinator, step } from "./coordinator.fixture.js";
import type { RunnerOptions } from "./run-runner.js";
import { runnerToken, startRunner } from "./runner.fixture.js";

async function start(...[job, script, changes]: [...Parameters<typeof startCoordinator>, Partial<RunnerOptions>?]) {
  const gitlab = await startCoordinator(job, script);
  return { gitlab, runner: startRunner(gitlab, changes) };
}

/** Answers to the first requests for a job, one after another; then it is the fixture's turn. */
function firstAnswers(...replies: readonly Reply[]) {
  return ({ call }: { readonly call: string }, all: readonly { readonly call: string }[]) =>
    call === "request" ? replies[all.filter((each) => each.call === "request").length - 1] : undefined;
}

describe("asking for jobs", () => {
  test("asks every 3 seconds and leaves when none came in time", async () => {
    const { gitlab, runner } = await start(undefined, () => ({ status: 204, headers: { "X-GitLab-Last-Update": "cursor-1" } }), {
      waitTimeoutS: 5,
    });
    await runner.advanceUntil(3_000, () => gitlab.seen.length === 2, "the second request");
    await runner.advanceUntil(3_000, () => runner.lines.length === 2, "the end");
    expect(await runner.ended).toEqual({ reason: "no-job", builds: 0 });
    expect(runner.lines).toEqual([
      `Starting runner for ${gitlab.url} ...`,
      "This runner has not received a job in 5 seconds, so now exiting",
    ]);
    expect(gitlab.seen).toHaveLength(2);
    const [first, second] = gitlab.seen;
    expect(first?.headers["runner-token"]).toBe(runnerToken);
    expect(first?.body).toMatchObject({
      token: runnerToken,
      system_id: "r_1234567890ab",
      info: { executor: "shell", shell: "bash", features: { cancelable: true, cancel_gracefully: true, return_exit_code: true } },
    });
    expect(first?.body).not.toHaveProperty("last_update");
    expect(second?.body.last_update).toBe("cursor-1");
  });

  test.each<[string, Reply, number]>([
    ["500", { status: 500 }, 3_000],
    ["409", { status: 409 }, 3_000],
    ["a cut connection", "drop", 3_000],
    ["429 with a wish", { status: 429, headers: { "Retry-After": "7" } }, 7_000],
    ["503 with a small wish", { status: 503, headers: { "Retry-After": "1" } }, 3_000],
    ["429 with an endless wish", { status: 429, headers: { "Retry-After": "86400" } }, 60_000],
    ["429 with nonsense", { status: 429, headers: { "Retry-After": "soon" } }, 3_000],
    ["a job without a token", { status: 201, body: { id: 5 } }, 3_000],
    ["a job that is no JSON", { status: 201 }, 3_000],
  ])("asks again after %s", async (_what, reply, waitMs) => {
    const { gitlab, runner } = await start(aJob(), firstAnswers(reply), { waitTimeoutS: 0 });
    await runner.advanceUntil(waitMs, () => gitlab.of("update").length === 1, "the job's end");
    expect(await runner.ended).toEqual({ reason: "builds-done", builds: 1 });
    expect(runner.lines[1]).toMatch(/^Checking for jobs\.\.\. failed: /);
    expect(runner.lines[2]).toBe("Checking for jobs... received job=101");
  });

  test("a refused token ends it at once", async () => {
    const { runner } = await start(aJob(), () => ({ status: 403 }));
    expect(await runner.ended).toEqual({ reason: "forbidden", builds: 0 });
    expect(runner.lines.at(-1)).toBe("Checking for jobs... forbidden");
  });

  test("a GitLab that does not answer is given up, even by a runner that waits without end", async () => {
    const { runner } = await start(aJob(), () => "drop", { waitTimeoutS: 0 });
    await runner.advanceUntil(3_000, () => runner.lines.length > 200, "200 failures");
    expect(await runner.ended).toEqual({ reason: "unreachable", builds: 0 });
  });

  test("runs as many jobs as it is told to", async () => {
    const { gitlab, runner } = await start(
      undefined,
      firstAnswers({ status: 201, body: aJob() }, { status: 201, body: aJob() }, { status: 403 }),
      {
        maxBuilds: 2,
      },
    );
    expect(await runner.ended).toEqual({ reason: "builds-done", builds: 2 });
    expect(gitlab.of("request")).toHaveLength(2);
  });

  test("a held answer is waited for", async () => {
    let answer = (_reply: { status: number; body?: unknown }) => {};
    const held = new Promise<{ status: number; body?: unknown }>((resolve) => {
      answer = resolve;
    });
    const { gitlab, runner } = await start(undefined, firstAnswers(held));
    await until(() => gitlab.seen.length === 1, "the request");
    await runner.clock.advance(50_000);
    answer({ status: 201, body: aJob() });
    expect(await runner.ended).toEqual({ reason: "builds-done", builds: 1 });
  });
});

describe("being told to end", () => {
  test("between two requests it ends at once", async () => {
    for (const how of ["quit", "terminate"] as const) {
      const { runner } = await start(undefined);
      await until(() => runner.clock.waits(3_000), "the pause");
      runner[how]();
      expect(await runner.ended).toEqual({ reason: "stopped", builds: 0 });
    }
  });

  test("a job that arrives after SIGTERM is failed at once instead of lost", async () => {
    let answer = (_reply: { status: number; body?: unknown }) => {};
    const held = new Promise<{ status: number; body?: unknown }>((resolve) => {
      answer = resolve;
    });
    const { gitlab, runner } = await start(undefined, firstAnswers(held), { maxBuilds: 0 });
    await until(() => gitlab.seen.length === 1, "the request");
    runner.terminate();
    answer({ status: 201, body: aJob({ steps: [step("script", ["echo ran"])] }) });
    expect(await runner.ended).toEqual({ reason: "stopped", builds: 1 });
    expect(gitlab.of("update")[0]?.body).toMatchObject({ state: "failed", failure_reason: "runner_system_failure" });
    expect(gitlab.log()).not.toContain("ran");
  });

  test("a request that is held for too long is given up", async () => {
    const { gitlab, runner } = await start(undefined, () => new Promise(() => {}));
    await until(() => gitlab.seen.length === 1, "the request");
    runner.terminate();
    await runner.advanceUntil(10_000, () => runner.lines.length === 2, "the end");
    expect(await runner.ended).toEqual({ reason: "stopped", builds: 0 });
  });
});
