import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { until } from "../../model/until.fixture.js";
import { aJob, startCoordinator, step, variable } from "./coordinator.fixture.js";
import { makeRepository, type TestRepository } from "./repository.fixture.js";
import { runnerToken, startRunner } from "./runner.fixture.js";

async function start(job: object) {
  const gitlab = await startCoordinator(aJob(job as Record<string, unknown>));
  const runner = startRunner(gitlab);
  return { gitlab, runner, projectDir: join(runner.directory, "builds/0/group/demo") };
}

/** Runs the job to its end and gives its log without colours, and its end. */
async function run(job: object) {
  const { gitlab, runner, projectDir } = await start(job);
  await runner.ended;
  const introducer = String.fromCharCode(27);
  return {
    log: gitlab.log().replaceAll(new RegExp(`${introducer}\\[[0-9;]*[mK]`, "g"), ""),
    end: gitlab.of("update").at(-1)?.body ?? {},
    projectDir,
  };
}

const none = variable("GIT_STRATEGY", "none");

describe("a job's commands", () => {
  test("run in order in one shell, shown before they run, until one fails", async () => {
    const script = ["X=kept", "cd /", 'echo "$X in $(pwd)"', "echo multi\necho line", "false", "echo never"];
    const { log, end } = await run({ steps: [step("script", script)] });
    expect(log).toContain(
      '$ X=kept\n$ cd /\n$ echo "$X in $(pwd)"\nkept in /\n$ echo multi # collapsed multi-line command\nmulti\nline\n$ false\n',
    );
    expect(log).not.toContain("never");
    expect(end).toMatchObject({ state: "failed", failure_reason: "script_failure", exit_code: 1 });
  });

  test.each([
    ["a failing pipe", "false | true", 1],
    ["a program that is not there", "no-such-program", 127],
    ["a signal", "kill -KILL $$", 137],
    ["a syntax error", "if", 2],
    ["its own code", "exit 42", 42],
  ])("%s fails the job", async (_what, command, code) => {
    const { end } = await run({ steps: [step("script", [command])] });
    expect(end).toMatchObject({ state: "failed", failure_reason: "script_failure", exit_code: code });
  });

  test("read nothing, and their errors stand in the log where they belong", async () => {
    const { log, end } = await run({ steps: [step("script", ["cat", "echo one; echo two >&2; echo three"])] });
    expect(log).toContain("$ cat\n$ echo one; echo two >&2; echo three\none\ntwo\nthree\n");
    expect(end.state).toBe("success");
  });

  test("of several steps run as their when says", async () => {
    const steps = [
      step("script", ["exit 3"]),
      step("release", ["echo released"]),
      step("rescue", ["echo rescued"], "on_failure"),
      step("always", ["echo in any case"], "always"),
    ];
    const { log, end } = await run({ steps });
    expect(log).not.toContain("released");
    expect(log).toContain("rescued\n");
    expect(log).toContain("in any case\n");
    expect(end).toMatchObject({ state: "failed", exit_code: 3 });
  });

  test("after_script runs in a shell of its own and changes nothing", async () => {
    const { log, end } = await run({
      steps: [step("script", ["X=1"]), step("after_script", ['echo "<$X> $CI_JOB_STATUS"', "exit 9"], "always")],
    });
    expect(log).toContain("<> success\n");
    expect(log).toContain("WARNING: after_script failed, but the job goes on unaffected: exit status 9");
    expect(end.state).toBe("success");
  });

  test("an after_script that does not end is stopped after 5 minutes", async () => {
    const { gitlab, runner, projectDir } = await start({
      steps: [step("script", ["true"]), step("after_script", ["touch after", "sleep 1000"], "always")],
    });
    await until(() => existsSync(join(projectDir, "after")), "the after_script");
    await runner.advanceUntil(300_000, () => gitlab.of("update").some(({ body }) => body.state === "success"), "the end");
    expect(gitlab.log()).toContain("it took longer than 5 minutes");
  });
});

describe("variables", () => {
  test("are expanded, exported, and written to files where they are files", async () => {
    const variables = [
      none,
      variable("A", "1"),
      variable("B", "$A-$" + "{A}-$$A-$missing-$C"),
      variable("C", "<$A>"),
      variable("RAW", "$A", { raw: true }),
      variable("LOOP", "x$LOOP"),
      variable("A", "2"),
      variable("FILE", "content of $A\n", { file: true }),
      variable("BAD-NAME", "x"),
      variable("MULTI", "one\ntwo"),
      variable("QUOTED", 'it\'s "so" $(date) `date`'),
    ];
    const script = [
      'echo "B=$B RAW=$RAW LOOP=$LOOP"',
      'cat "$FILE"',
      "stat -c %a $FILE",
      'echo "$MULTI"',
      'echo "$QUOTED"',
      'test "$CI_PROJECT_DIR" = "$PWD"',
    ];
    const { log, end, projectDir } = await run({ variables, steps: [step("script", script)] });
    expect(log).toContain("B=2-2-$A--<2> RAW=$A LOOP=xx$LOOP\n");
    expect(log).toContain("content of 2\n$ stat");
    expect(log).toContain("600\n");
    expect(log).toContain("one\ntwo\n");
    expect(log).toContain('it\'s "so" $(date) `date`\n');
    expect(log).toContain('WARNING: the variable "BAD-NAME" is left out');
    expect(end.state).toBe("success");
    expect(existsSync(`${projectDir}.tmp`)).toBe(false);
  });

  test("that are masked do not show, however they are written; nor do the tokens", async () => {
    const variables = [
      none,
      variable("SECRET", "hush-hush-hush", { masked: true }),
      variable("BUILT", "$PART-secret", { masked: true }),
      variable("PART", "built"),
    ];
    const script = ["echo $SECRET", "printf hush-; printf hush-hush", 'echo " $BUILT"', "echo job-token-101", `echo ${runnerToken}`];
    const { log } = await run({ variables, steps: [step("script", script)] });
    expect(log).not.toMatch(/hush-hush-hush|built-secret|job-token|glrt-/);
    expect(log).toContain("$ echo $SECRET\n[MASKED]\n");
    expect(log).toContain('[MASKED]$ echo " $BUILT"\n [MASKED]\n');
  });

  test("of the runner's own environment only harmless ones reach the job, and no token stands in environment or arguments", async () => {
    const script = ["env", "cat /proc/$$/cmdline /proc/$PPID/cmdline | tr '\\0' ' '"];
    const { gitlab, runner } = await start({ steps: [step("script", script)] });
    await runner.ended;
    expect(gitlab.log()).toContain("PATH=");
    expect(gitlab.log()).not.toMatch(/FIRERUNNER|not for jobs|MASKED/);
  });

  test("too large for an environment fail the job as the runner's fault", async () => {
    const { end, log } = await run({ variables: [none, variable("HUGE", "x".repeat(3_000_000))] });
    expect(end).toMatchObject({ state: "failed", failure_reason: "runner_system_failure" });
    expect(log).toContain("ERROR: Job failed (system failure): ");
  });
});

describe("processes", () => {
  /** The ids that a script wrote, one a file. */
  const pid = (projectDir: string, name: string) => Number(readFileSync(join(projectDir, name), "utf8"));
  const isAlive = (id: number) => {
    try {
      process.kill(id, 0);
      // A process that ended may still wait for its parent.
      return !readFileSync(`/proc/${id}/stat`, "utf8").includes(") Z ");
    } catch {
      return false;
    }
  };

  test("that a script leaves behind are killed when it ends, also those that gave up its output", async () => {
    const script = ["sleep 1000 & echo $! >one", "sleep 1000 >/dev/null 2>&1 & echo $! >two"];
    const { end, projectDir } = await run({ steps: [step("script", script)] });
    expect(end.state).toBe("success");
    await until(() => !isAlive(pid(projectDir, "one")) && !isAlive(pid(projectDir, "two")), "the processes' end");
  });

  test("of a stopped job may tidy up", async () => {
    const script = ["bash -c 'trap \"echo tidied; exit\" TERM; echo $$ >inner; touch started; while :; do sleep 0.02; done'"];
    const { gitlab, runner, projectDir } = await start({ steps: [step("script", script)] });
    await until(() => existsSync(join(projectDir, "started")), "the script");
    runner.terminate();
    await runner.ended;
    expect(gitlab.log()).toContain("tidied\n");
    expect(isAlive(pid(projectDir, "inner"))).toBe(false);
  });

  test("that ignore SIGTERM are killed after the grace", async () => {
    const script = ["trap '' TERM", "bash -c 'echo $$ >inner; touch started; while :; do sleep 0.02; done'"];
    const { gitlab, runner, projectDir } = await start({ steps: [step("script", script)] });
    await until(() => existsSync(join(projectDir, "started")), "the script");
    runner.terminate();
    await until(() => runner.clock.waits(10_000), "the grace");
    expect(isAlive(pid(projectDir, "inner"))).toBe(true);
    await runner.clock.advance(10_000);
    await runner.ended;
    await until(() => !isAlive(pid(projectDir, "inner")), "the process's end");
    expect(gitlab.of("update").at(-1)?.body).toMatchObject({ failure_reason: "runner_system_failure" });
  });

  test("that left the group with the script's output do not hold the job up", async () => {
    const script = ["setsid sleep 1000 & echo $! >escaped"];
    const { gitlab, runner, projectDir } = await start({ steps: [step("script", script)] });
    try {
      await runner.advanceUntil(2_000, () => gitlab.of("update").some(({ body }) => body.state === "success"), "the end");
    } finally {
      process.kill(pid(projectDir, "escaped"), "SIGKILL");
    }
  });
});

describe("a job's files", () => {
  let repository: TestRepository;

  beforeEach(() => {
    repository = makeRepository("file", ["first", "second", "third"]);
  });

  const source = (changes: object = {}) => ({
    repo_url: repository.url,
    ref: "main",
    sha: repository.shas[2],
    refspecs: [],
    depth: 0,
    ...changes,
  });
  const look = [step("script", ["cat file", "git rev-list --count HEAD", "git status --short --branch"])];

  test("are those of the commit, with all of its history", async () => {
    const { log, end } = await run({ git_info: source({ sha: repository.shas[1] }), variables: [], steps: look });
    expect(end.state).toBe("success");
    expect(log).toContain(`Checking out ${repository.shas[1]?.slice(0, 8)} as detached HEAD (ref is main)...`);
    expect(log).toContain("$ cat file\nsecond$ git rev-list --count HEAD\n2\n");
    expect(log).toContain("## HEAD (no branch)\n");
  });

  test("GIT_DEPTH shortens the history, and a commit further back is still found", async () => {
    const shallow = await run({ git_info: source(), variables: [variable("GIT_DEPTH", "1")], steps: look });
    expect(shallow.log).toContain("git depth set to 1");
    expect(shallow.log).toContain("third$ git rev-list --count HEAD\n1\n");
    const older = await run({
      git_info: source({ sha: repository.shas[0], depth: 1, refspecs: ["+refs/heads/main:refs/remotes/origin/main"] }),
      variables: [],
      steps: look,
    });
    expect(older.log).toContain("$ cat file\nfirst");
  });

  test("a commit that a forced push left without a branch is asked for by its name", async () => {
    repository.startAnew("anew");
    const depth = { depth: 1, refspecs: ["+refs/heads/main:refs/remotes/origin/main"] };
    const { log, end } = await run({ git_info: source({ sha: repository.shas[1], ...depth }), variables: [], steps: look });
    expect(end.state).toBe("success");
    expect(log).toContain("$ cat file\nsecond");
  });

  test("a commit that is not there fails the job as the system's fault", async () => {
    const { end, log } = await run({ git_info: source({ sha: "f".repeat(40) }), variables: [], steps: look });
    expect(end).toMatchObject({ state: "failed", failure_reason: "runner_system_failure" });
    expect(log).toContain("getting the source failed");
    expect(log).not.toContain("$ cat file");
  });

  test.each(["none", "empty"])("GIT_STRATEGY %s fetches nothing", async (strategy) => {
    const { log, end } = await run({ variables: [variable("GIT_STRATEGY", strategy)], steps: [step("script", ["ls -A"])] });
    expect(log).toContain("Skipping Git repository setup");
    expect(end.state).toBe("success");
  });

  test("git is given the job's token when it is asked for one, and the clone does not keep it", async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.headers.authorization);
      response.writeHead(request.headers.authorization === undefined ? 401 : 404, { "WWW-Authenticate": 'Basic realm="GitLab"' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { end, projectDir } = await run({
      git_info: source({ repo_url: `http://gitlab-ci-token:of-the-address@${host}/group/demo.git` }),
      variables: [],
    });
    expect(end).toMatchObject({ failure_reason: "runner_system_failure" });
    expect(Buffer.from(String(asked.at(-1)).replace("Basic ", ""), "base64").toString()).toBe("gitlab-ci-token:of-the-address");
    expect(readFileSync(join(projectDir, ".git/config"), "utf8")).toContain(`url = http://${host}/group/demo.git`);
    expect(readFileSync(join(projectDir, ".git/config"), "utf8")).not.toContain("of-the-address");
    await run({ git_info: source({ repo_url: `http://${host}/group/demo.git` }), variables: [] });
    expect(Buffer.from(String(asked.at(-1)).replace("Basic ", ""), "base64").toString()).toBe("gitlab-ci-token:job-token-101");
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test("stay below the builds directory, whatever the address says", async () => {
    const { gitlab, runner } = await start({ git_info: { ...source(), repo_url: "http://gitlab.test/../..%2f..//a b/x/demo.git" } });
    await runner.ended;
    expect(gitlab.of("update").at(-1)?.body.state).toBe("success");
    expect(readdirSync(runner.directory)).toEqual(["builds"]);
    expect(readdirSync(join(runner.directory, "builds"))).toEqual(["0"]);
  });

  test("of an earlier job are gone", async () => {
    const { gitlab, runner, projectDir } = await start({
      git_info: { ...source(), repo_url: "http://gitlab.test/group/demo.git" },
      variables: [variable("GIT_STRATEGY", "empty")],
      steps: [step("script", ["test ! -e leftover"])],
    });
    mkdirSync(projectDir, { recursive: true });
    writeFileSync(join(projectDir, "leftover"), "");
    await runner.ended;
    expect(gitlab.of("update").at(-1)?.body.state).toBe("success");
  });
});
