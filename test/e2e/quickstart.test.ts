import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { barePath } from "./bare-path.fixture.js";
import { type Child, endOf, root, startChild } from "./child.fixture.js";
import { endMicrovms, microvmProcesses } from "./processes.fixture.js";
import { until } from "./until.fixture.js";

let directory: string;
let env: Readonly<Record<string, string>>;
const children: Child[] = [];

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "firerunner-quickstart-")));
  env = { PATH: barePath(join(directory, "bin")), HOME: join(directory, "home"), XDG_STATE_HOME: join(directory, "state") };
  mkdirSync(join(directory, "home"));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop()));
  const left = endMicrovms(directory);
  rmSync(directory, { recursive: true, force: true });
  expect(left).toEqual([]);
});

/** Runs one of the package's scripts as npm does: by sh, in the package's folder. */
function npmRun(script: string, ...args: readonly string[]): Child {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Readonly<Record<string, string>> };
  const child = startChild([join(directory, "bin", "sh"), "-c", `exec ${scripts[script]} "$@"`, "sh", ...args], { cwd: root, env });
  children.push(child);
  return child;
}

describe("npm start -- --once, with sh, bash, coreutils, git and node alone", () => {
  it("runs the quickstart, shows what its scripts printed and where they ran, and leaves nothing", async () => {
    const start = npmRun("start", "--once");
    const code = await endOf(start);
    const output = start.output();
    expect(code, output).toBe(0);
    const words = join(root, "examples/quickstart/greetings/words");
    const sorted = readdirSync(words)
      .map((name) => readFileSync(join(words, name), "utf8"))
      .toSorted()
      .join("");
    expect(output).toContain(`    ${createHash("sha256").update(sorted).digest("hex")}  greetings.sorted\n`);
    expect(output).toMatch(/ {4}Compiling for platform on \w+ in \/.*\/root\/greetings\n/);
    expect(output).toContain("    200000\n");
    expect(output).toMatch(/^experimental +failed \(allowed\) +vm-\w+ +host-[12] /m);
    expect(output).toMatch(/^gpu-benchmark +canceled +– +– /m);
    expect(output.match(/^\S+ +success +vm-\w+ +host-[12] +[\d.]+ s +[\d.]+ s +[\d.]+ s +[\d.]+ s$/gm)).toHaveLength(8);
    expect(output).toContain("Left behind: 0 microVMs, 0 runners, 0 addresses (beside 1 warm microVM without a credential).");
    expect(output).not.toMatch(/glpat-|glrt-/);
    expect(microvmProcesses(directory)).toEqual([]);
    expect(existsSync(join(directory, "state/firerunner/dev/world.json"))).toBe(false);
  });
});

describe("dev push", () => {
  function folder(name: string, script: string): string {
    const path = join(directory, name);
    mkdirSync(path);
    writeFileSync(join(path, ".gitlab-ci.yml"), `only: {script: [${script}]}\n`);
    return path;
  }

  it("runs a folder in the world that is up, and ends as its pipeline does", async () => {
    const world = npmRun("start", "--project", folder("first", "echo first $((40 + 2))"));
    await until("the world stays up", () => world.output().includes("It stays up."), { tell: world.output });
    const good = npmRun("firerunner", "dev", "push", folder("good", "echo good $((40 + 2))"));
    const bad = npmRun("firerunner", "dev", "push", folder("bad", "exit 7"));
    expect([await endOf(good), await endOf(bad)], good.output() + bad.output()).toEqual([0, 1]);
    expect(good.output()).toContain("    good 42\n");
    expect(good.output()).toMatch(/^only +success +vm-\w+ +host-[12] /m);
    expect(bad.output()).toContain("    ERROR: Job failed: exit status 7\n");
    expect(bad.output()).toMatch(/^only +failed +vm-\w+ +host-[12] /m);

    const second = npmRun("start");
    expect([await endOf(second), second.output()]).toEqual([1, expect.stringContaining("a development world runs already in")]);
    const nowhere = npmRun("firerunner", "dev", "push", join(directory, "home"));
    expect([await endOf(nowhere), nowhere.output()]).toEqual([1, expect.stringContaining("must be a folder with a .gitlab-ci.yml")]);

    world.signal("SIGINT");
    expect(await endOf(world), world.output()).toBe(0);
    expect(world.output()).toContain("    first 42\n");
    expect(microvmProcesses(directory)).toEqual([]);
  });

  it("says how to start a world when none is up", async () => {
    const push = npmRun("firerunner", "dev", "push", folder("lonely", "exit 0"));
    expect(await endOf(push)).toBe(1);
    expect(push.output()).toMatch(/^error FR-CONFIG: no development world runs in \S+; start one with `firerunner dev`\n$/);
  });
});
