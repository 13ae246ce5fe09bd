import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTool } from "../../../images/agent/agent.fixture.js";
import { FireRunnerError } from "../../model/errors.js";
import { until } from "../../model/until.fixture.js";
import { installedGuestPrograms } from "../host/guest-programs.js";
import { aJob, type ScriptedCoordinator, startCoordinator, step } from "./coordinator.fixture.js";
import { makeRepository } from "./repository.fixture.js";
import { parseRunnerArguments, runRunnerCommand } from "./runner-command.js";

const url = "https://gitlab.test";
const token = "glrt-token-of-the-test";

describe("the arguments", () => {
  test("as the guest agent gives them", () => {
    const argv = ["--url", url, "--token-file", "/run/token", "--builds-dir", "/builds", "--max-builds", "1", "--wait-timeout", "300"];
    expect(parseRunnerArguments(argv)).toEqual({
      url,
      tokenFile: "/run/token",
      buildsDir: "/builds",
      maxBuilds: 1,
      waitTimeoutS: 300,
      systemId: undefined,
      user: undefined,
    });
  });

  test("have defaults that run on until they are stopped", () => {
    expect(parseRunnerArguments([`--url=${url}`, "--token-file=t"])).toMatchObject({ buildsDir: "builds", maxBuilds: 0, waitTimeoutS: 0 });
  });

  test.each([
    [[], "--url: is missing: must be the http or https address"],
    [["--url", "ftp://x", "--token-file", "t"], '--url: "ftp://x" is refused'],
    [["--url", "gitlab", "--token-file", "t"], '--url: "gitlab" is refused'],
    [["--url", url], "--token-file: is missing"],
    [["--url", url, "--token-file", "t", "--max-builds", "-1"], "--max-builds"],
    [["--url", url, "--token-file", "t", "--max-builds", "many"], '--max-builds: "many" is refused: must be a whole number'],
    [["--url", url, "--token-file", "t", "--wait-timeout=1.5"], '--wait-timeout: "1.5" is refused'],
    [["--url", url, "--token-file", "t", "--system-id", "a b"], '--system-id: "a b" is refused'],
    [["--url", url, "--token-file", "t", "--tokn"], "--tokn"],
    [["--url", url, "--token-file", "t", "more"], "more"],
  ])("%j", (argv, said) => {
    expect(() => parseRunnerArguments(argv)).toThrow(FireRunnerError);
    expect(() => parseRunnerArguments(argv)).toThrow(said);
    expect(() => parseRunnerArguments(argv)).toThrow("usage: --url URL");
  });
});

describe("the command", () => {
  let directory = "";
  let child: ChildProcess | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fr-command-"));
  });

  afterEach(async () => {
    child?.kill("SIGKILL");
    child = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  const inProcess = { env: {}, say: () => {}, once: () => {} };

  test("does not run jobs as a user that is not known", async () => {
    writeFileSync(join(directory, "token"), token);
    const argv = ["--url", url, "--token-file", join(directory, "token"), "--user", "nobody-of-this-name"];
    await expect(runRunnerCommand(argv, inProcess)).rejects.toThrow('--user: there is no user "nobody-of-this-name"');
  });

  test("says which token file cannot be used", async () => {
    const missing = join(directory, "missing");
    await expect(runRunnerCommand(["--url", url, "--token-file", missing], inProcess)).rejects.toThrow(missing);
    writeFileSync(missing, "\n");
    await expect(runRunnerCommand(["--url", url, "--token-file", missing], inProcess)).rejects.toThrow("is empty");
  });

  test.each([
    ["beside the token", "r_abcdefghijkl", /^r_abcdefghijkl$/],
    ["at random", "", /^r_[a-z0-9]{12}$/],
  ])("takes its system id %s", async (_where, kept, expected) => {
    const coordinator = await startCoordinator(undefined, () => ({ status: 403 }));
    writeFileSync(join(directory, "token"), token);
    if (kept !== "") writeFileSync(join(directory, ".runner_system_id"), kept);
    expect(await runRunnerCommand(["--url", coordinator.url, "--token-file", join(directory, "token")], inProcess)).toBe(0);
    expect(coordinator.seen[0]?.body.system_id).toMatch(expected);
  });

  /** A PATH of sh, bash, coreutils, git and node, and nothing else. */
  function sparsePath(): string {
    const bin = join(directory, "bin");
    mkdirSync(bin);
    const tools = "sh bash git node cat env ls mkdir rm touch sleep tr head sort printf test true false uname wc".split(" ");
    for (const tool of tools) symlinkSync(findTool(tool), join(bin, tool));
    return bin;
  }

  function startProcess(gitlab: ScriptedCoordinator): { readonly output: () => string; readonly ended: Promise<number | string | null> } {
    writeFileSync(join(directory, "token"), `${token}\n`, { mode: 0o600 });
    const [program = "", ...entry] = installedGuestPrograms().runner;
    const builds = join(directory, "builds");
    const options = [
      "--url",
      gitlab.url,
      "--token-file",
      join(directory, "token"),
      "--builds-dir",
      builds,
      "--max-builds",
      "1",
      "--wait-timeout",
      "60",
    ];
    const started = spawn(program, [...entry, ...options], {
      cwd: directory,
      env: { PATH: sparsePath(), HOME: directory, FIRERUNNER_STATE_DIR: directory },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    let output = "";
    for (const stream of [started.stdout, started.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    return {
      output: () => output,
      ended: new Promise((resolve) => started.once("exit", (code, signal) => resolve(signal ?? code))),
    };
  }

  test("clones and runs a job with sh, bash, coreutils, git and node alone, and its token may be removed once it has begun", async () => {
    const { url: repo_url, shas } = makeRepository("greeting", ["hello from the repository\n"]);
    const job = aJob({
      git_info: { repo_url, ref: "main", sha: shas[0], refspecs: [], depth: 1 },
      variables: [],
      steps: [step("script", ["cat greeting", "env", "cat /proc/$PPID/cmdline /proc/$PPID/environ | tr '\\0' ' '"])],
    });
    const gitlab = await startCoordinator(job, ({ call }) => {
      if (call === "request") rmSync(join(directory, "token"));
      return undefined;
    });
    const { output, ended } = startProcess(gitlab);
    expect(await ended, output()).toBe(0);
    const lines = output().trim().split("\n");
    expect(lines[0]).toBe(`Starting runner for ${gitlab.url} ...`);
    expect(lines).toContain("Checking for jobs... received job=101");
    expect(lines).toContain("Job succeeded job=101");
    expect(gitlab.log()).toContain("hello from the repository\n");
    expect(gitlab.log()).not.toMatch(/FIRERUNNER_STATE_DIR=\S+\n|MASKED/);
    expect(gitlab.log()).not.toContain(token);
  });

  test("tells of its job's failure when it is terminated, and ends with 0", async () => {
    const gitlab = await startCoordinator(aJob({ steps: [step("script", ["touch started", "sleep 1000"])] }));
    const { output, ended } = startProcess(gitlab);
    await until(() => existsSync(join(directory, "builds/0/group/demo/started")), "the script");
    child?.kill("SIGTERM");
    expect(await ended, output()).toBe(0);
    expect(gitlab.of("update").at(-1)?.body).toMatchObject({ state: "failed", failure_reason: "runner_system_failure" });
  });

  test("ends with 0 on a refused token, and says so", async () => {
    const gitlab = await startCoordinator(undefined, () => ({ status: 403 }));
    const { output, ended } = startProcess(gitlab);
    expect(await ended).toBe(0);
    expect(output()).toContain("Checking for jobs... forbidden");
  });
});

test("the entry imports next to nothing, because it is started for every microVM", () => {
  const seen = new Set<string>();
  const visit = (file: URL) => {
    if (seen.has(file.pathname)) return;
    seen.add(file.pathname);
    for (const [, target = ""] of readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type).*from "([^"]+)";$/gm)) {
      expect(target).toMatch(/^(node:|\.)/);
      if (target.startsWith(".")) visit(new URL(target.replace(/\.js$/, ".ts"), file));
    }
  };
  visit(new URL("bin.ts", import.meta.url));
  expect(seen.size).toBeGreaterThan(10);
});
