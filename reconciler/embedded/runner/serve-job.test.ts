import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { until } from "../../model/until.fixture.js";
import { aJob, type Reply, type Seen, startCoordinator, step } from "./coordinator.fixture.js";
import type { RunnerOptions } from "./run-runner.js";
import { startRunner } from "./runner.fixture.js";

const golden: { scenarios: { scenario: string; requests: { method: string; body: Record<string, unknown> }[] }[] } = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/golden/gitlab-runner-17.4.0.json", import.meta.url), "utf8"),
);

/** What the real runner said last of its job, without what depends on the log's text. */
function realEnd(scenario: string): Record<string, unknown> {
  const requests = golden.scenarios.find((each) => each.scenario === scenario)?.requests ?? [];
  return essence(requests.filter(({ method }) => method === "PUT").at(-1)?.body ?? {});
}

function essence({ info, checksum, output, ...rest }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...rest, info: info !== undefined, checksum: typeof checksum, output: Object.keys(output ?? {}) };
}

type Answer = (seen: Seen, all: readonly Seen[]) => Reply | undefined;

async function serve(script: readonly string[], answer?: Answer, changes: { job?: object; runner?: Partial<RunnerOptions> } = {}) {
  const job = aJob({ steps: [step("script", script), step("after_script", ["echo after $CI_JOB_STATUS"], "always")], ...changes.job });
  const gitlab = await startCoordinator(job, answer);
  const runner = startRunner(gitlab, changes.runner);
  const workDir = join(runner.directory, "builds/0/group/demo");
  return { gitlab, runner, file: (name: string) => join(workDir, name), lastUpdate: () => gitlab.of("update").at(-1)?.body ?? {} };
}

/** A script that says so, then waits until the test lets it go on. */
const holds = ["touch started", "until test -e go; do sleep 0.02; done"];

describe("the end of a job", () => {
  test("is told as the real runner tells it: success", async () => {
    const { gitlab, runner, lastUpdate } = await serve(["echo hello"]);
    await runner.ended;
    expect(gitlab.seen.map(({ call }) => call)).toEqual(["request", "log", "update"]);
    expect(essence(lastUpdate())).toEqual(realEnd("success"));
    const log = Buffer.from(gitlab.log());
    const checksum = `crc32:${crc32(log).toString(16).padStart(8, "0")}`;
    expect(lastUpdate()).toMatchObject({ checksum, output: { checksum, bytesize: log.length } });
    expect(gitlab.log()).toContain("\u001b[32;1m$ echo hello\u001b[0;m\nhello\n");
    expect(gitlab.log().endsWith("\u001b[32;1mJob succeeded\u001b[0;m\n")).toBe(true);
    expect(runner.lines).toContain("Job succeeded job=101");
  });

  test("is told as the real runner tells it: failure, with its exit code, after the after_script", async () => {
    const { gitlab, runner, lastUpdate } = await serve(["exit 7"]);
    await runner.ended;
    expect(essence(lastUpdate())).toEqual(realEnd("failure"));
    expect(gitlab.log()).toContain("after failed\n");
    expect(gitlab.log()).toContain("ERROR: Job failed: exit status 7");
  });

  test("is told as the real runner tells it: time-out, without an after_script", async () => {
    const { gitlab, runner, file, lastUpdate } = await serve(holds, undefined, { job: { runner_info: { timeout: 4 } } });
    await until(() => existsSync(file("started")), "the script");
    await runner.advanceUntil(4_000, () => gitlab.of("update").length > 0, "the end");
    await runner.ended;
    expect(essence(lastUpdate())).toEqual(realEnd("timeout"));
    expect(gitlab.log()).not.toContain("after failed");
    expect(gitlab.log()).toContain("execution took longer than 4 seconds");
  });

  test("is told as the real runner tells it: SIGTERM", async () => {
    const { gitlab, runner, file, lastUpdate } = await serve(holds);
    await until(() => existsSync(file("started")), "the script");
    runner.terminate();
    expect(await runner.ended).toEqual({ reason: "builds-done", builds: 1 });
    expect(essence(lastUpdate())).toEqual(realEnd("sigterm"));
    expect(gitlab.log()).not.toContain("after failed");
  });

  test("SIGQUIT lets the job come to its own end", async () => {
    const { gitlab, runner, file, lastUpdate } = await serve([...holds, "echo finished"], undefined, { runner: { maxBuilds: 0 } });
    await until(() => existsSync(file("started")), "the script");
    runner.quit();
    writeFileSync(file("go"), "");
    expect(await runner.ended).toEqual({ reason: "stopped", builds: 1 });
    expect(essence(lastUpdate())).toEqual(realEnd("sigquit"));
    expect(gitlab.log()).toContain("finished\n");
    expect(gitlab.of("request")).toHaveLength(1);
  });

  test("is told again after errors, later after each, and as late as GitLab wishes", async () => {
    const replies: Reply[] = [{ status: 500 }, "drop", { status: 429, headers: { "Retry-After": "20" } }];
    const { gitlab, runner } = await serve(["true"], ({ call }) => (call === "update" ? replies.shift() : undefined));
    for (const [waitMs, count] of [
      [1_000, 2],
      [2_000, 3],
      [20_000, 4],
    ] as const) {
      await runner.advanceUntil(waitMs, () => gitlab.of("update").length === count, `try ${count}`);
    }
    await runner.ended;
    expect(runner.lines).toContain("Job succeeded job=101");
  });

  test("is not told for ever", async () => {
    const { gitlab, runner } = await serve(["true"], ({ call }) => (call === "update" ? { status: 503 } : undefined));
    await until(async () => {
      for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]) if (runner.clock.waits(waitMs)) await runner.clock.advance(waitMs);
      return runner.lines.some((line) => line.startsWith("Job"));
    }, "the runner giving up");
    expect(runner.lines).toContain("Job succeeded, which the coordinator did not take job=101");
    expect(gitlab.of("update")).toHaveLength(11);
  });

  test("is told for no more than 20 s when the runner is to end", async () => {
    const { gitlab, runner } = await serve(["true"], ({ call }) => (call === "update" ? { status: 503 } : undefined));
    await until(() => runner.clock.waits(1_000), "the first pause");
    runner.terminate();
    await until(async () => {
      for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000]) if (runner.clock.waits(waitMs)) await runner.clock.advance(waitMs);
      return runner.lines.some((line) => line.startsWith("Job"));
    }, "the runner giving up");
    expect(gitlab.of("update").length).toBeLessThan(7);
  });

  test("202 is asked again, 412 sends the whole log again", async () => {
    const replies: Reply[] = [{ status: 202 }, { status: 412 }];
    let again = false;
    const { gitlab, runner } = await serve(["echo hello"], ({ call }) => {
      if (call === "update") return replies.shift();
      if (call === "log" && replies.length === 0) {
        again = true;
        return { status: 202 };
      }
      return undefined;
    });
    await runner.advanceUntil(1_000, () => gitlab.of("update").length === 3, "the end");
    await runner.ended;
    expect(again).toBe(true);
    const [first, second] = gitlab.of("log");
    expect(second?.text).toBe(first?.text);
    expect(second?.headers["content-range"]).toMatch(/^0-/);
  });

  test("a coordinator that never agrees is given up", async () => {
    const { gitlab, runner } = await serve(["echo hello"], ({ call }) =>
      call === "update" ? { status: 412 } : call === "log" ? { status: 202 } : undefined,
    );
    await runner.ended;
    expect(gitlab.of("update").length).toBeLessThanOrEqual(30);
    expect(runner.lines).toContain("Job succeeded, which the coordinator did not take job=101");
  });
});

describe("the log", () => {
  test("goes out in parts that join, at the interval that GitLab names", async () => {
    const { gitlab, runner, file } = await serve(
      [
        "echo one",
        "touch started",
        "until test -e go; do sleep 0.02; done",
        "echo two",
        "touch second",
        "until test -e go2; do sleep 0.02; done",
      ],
      ({ call }, all) =>
        call === "log" && all.filter((each) => each.call === "log").length === 1
          ? { status: 202, headers: { "X-GitLab-Trace-Update-Interval": "11" } }
          : call === "log"
            ? { status: 202 }
            : undefined,
    );
    await until(() => existsSync(file("started")), "the first part");
    await runner.advanceUntil(3_000, () => gitlab.of("log").length > 0, "the first part");
    writeFileSync(file("go"), "");
    await until(() => existsSync(file("second")), "the second part");
    const sent = () =>
      gitlab
        .of("log")
        .map(({ text }) => text)
        .join("");
    await runner.advanceUntil(11_000, () => sent().includes("two\n"), "the second part");
    writeFileSync(file("go2"), "");
    await runner.ended;
    const parts = gitlab.of("log");
    expect(parts.length).toBeGreaterThanOrEqual(3);
    let offset = 0;
    for (const { headers, text } of parts) {
      const length = Buffer.byteLength(text);
      expect(headers["content-range"]).toBe(`${offset}-${offset + length - 1}`);
      expect(headers["content-type"]).toBe("text/plain");
      expect(headers["job-token"]).toBe("job-token-101");
      offset += length;
    }
    expect(sent().endsWith("Job succeeded\u001b[0;m\n")).toBe(true);
  });

  test("is sent again from where GitLab says", async () => {
    let refused = 0;
    const { gitlab, runner } = await serve(["echo hello"], ({ call }) => {
      if (call !== "log" || refused > 0) return undefined;
      refused += 1;
      return { status: 416, headers: { Range: "0-0" } };
    });
    await runner.ended;
    expect(gitlab.of("log")).toHaveLength(2);
    expect(gitlab.log()).toContain("hello\n");
    expect(runner.lines).toContain("Job succeeded job=101");
  });

  test("is sent in parts of at most 1 MiB", async () => {
    const { gitlab, runner } = await serve(["head -c 2500000 /dev/zero | tr '\\0' y"]);
    await runner.ended;
    const sizes = gitlab.of("log").map(({ text }) => Buffer.byteLength(text));
    expect(sizes.length).toBe(3);
    expect(Math.max(...sizes)).toBe(1_048_576);
    expect(gitlab.log().length).toBeGreaterThan(2_500_000);
  });

  test("ends at its limit, the last line aside", async () => {
    const { gitlab, runner } = await serve(["head -c 100000 /dev/zero | tr '\\0' y", "exit 3"], undefined, {
      runner: { logLimitBytes: 10_000 },
    });
    await runner.ended;
    expect(gitlab.log().length).toBeLessThan(10_500);
    expect(gitlab.log()).toContain("Job's log exceeded limit of 10000 bytes.");
    expect(gitlab.log()).toMatch(/ERROR: Job failed: exit status 3\S*\n$/);
  });

  test("that stands still says every 30 s that the job runs, and goes on after errors", async () => {
    const replies: Reply[] = [{ status: 200 }, { status: 500 }, "drop", { status: 200 }];
    const { gitlab, runner, file } = await serve(holds, ({ call }) => (call === "update" ? replies.shift() : undefined));
    await until(() => existsSync(file("started")), "the script");
    const startedAt = runner.clock.now();
    await runner.advanceUntil(3_000, () => gitlab.of("log").length > 0, "the log");
    await runner.advanceUntil(3_000, () => gitlab.of("update").length === 1, "the first sign of life");
    expect(runner.clock.now() - startedAt).toBeGreaterThanOrEqual(30_000);
    expect(gitlab.of("update")[0]?.body).toMatchObject({ state: "running", token: "job-token-101" });
    await runner.advanceUntil(3_000, () => gitlab.of("update").length === 4, "further signs of life");
    writeFileSync(file("go"), "");
    await runner.ended;
    expect(gitlab.of("update").map(({ body }) => body.state)).toEqual(["running", "running", "running", "running", "success"]);
  });
});

describe("a job that is cancelled", () => {
  const onceHeld =
    (reply: Reply): Answer =>
    ({ call }) =>
      call === "log" ? reply : undefined;

  test("by Job-Status canceling: the script is stopped, the after_script runs", async () => {
    const { gitlab, runner, file, lastUpdate } = await serve(holds, ({ call }, all) =>
      call === "log" && all.filter((each) => each.call === "log").length === 1
        ? { status: 202, headers: { "Job-Status": "canceling" } }
        : call === "log"
          ? { status: 202 }
          : undefined,
    );
    await until(() => existsSync(file("started")), "the script");
    await runner.advanceUntil(3_000, () => gitlab.of("update").length > 0, "the end");
    await runner.ended;
    expect(lastUpdate()).toMatchObject({ state: "failed", failure_reason: "job_canceled" });
    expect(
      gitlab
        .of("log")
        .map(({ text }) => text)
        .join(""),
    ).toContain("after canceled\n");
  });

  test.each<[string, Reply]>([
    ["Job-Status canceled", { status: 202, headers: { "Job-Status": "canceled" } }],
    ["Job-Status failed", { status: 202, headers: { "Job-Status": "failed" } }],
    ["403", { status: 403 }],
    ["404", { status: 404 }],
  ])("by %s: everything is stopped and nothing more is sent", async (_how, reply) => {
    const { gitlab, runner, file } = await serve([...holds, "touch went-on"], onceHeld(reply));
    await until(() => existsSync(file("started")), "the script");
    await runner.advanceUntil(3_000, () => runner.lines.some((line) => line.startsWith("Job")), "the end");
    await runner.ended;
    expect(gitlab.of("log")).toHaveLength(1);
    expect(gitlab.of("update")).toHaveLength(0);
    expect(existsSync(file("went-on"))).toBe(false);
  });

  test("in the answer to a sign of life", async () => {
    const { gitlab, runner, file } = await serve(holds, ({ call }) =>
      call === "update" ? { status: 200, headers: { "Job-Status": "canceled" } } : undefined,
    );
    await until(() => existsSync(file("started")), "the script");
    await runner.advanceUntil(3_000, () => runner.lines.some((line) => line.startsWith("Job")), "the end");
    await runner.ended;
    expect(gitlab.of("update")).toHaveLength(1);
  });
});
