import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Child, endOf, firerunner, startChild } from "./child.fixture.js";
import { endMicrovms } from "./processes.fixture.js";
import { until } from "./until.fixture.js";

let directory: string;
const children: Child[] = [];

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "firerunner-faults-")));
});

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop()));
  const left = endMicrovms(directory);
  rmSync(directory, { recursive: true, force: true });
  expect(left).toEqual([]);
});

function run(...args: readonly string[]): Child {
  const env = { PATH: process.env.PATH ?? "", HOME: directory, XDG_STATE_HOME: join(directory, "state") };
  const child = startChild([...firerunner, ...args], { cwd: directory, env });
  children.push(child);
  return child;
}

describe("firerunner dev --once --faults", () => {
  it("ends the quickstart's pipeline right all the same, and leaves nothing", async () => {
    const faults = "lost-answers=0.1,lost-deletes=0.5,late-deletes=0.2,failed-lists=0.1,unavailable=0.02,latency=5,seed=1";
    const dev = run("dev", "--once", "--faults", faults);
    expect(await endOf(dev), dev.output()).toBe(0);
    expect(dev.output()).toContain(`faults     ${faults}\n`);
    expect(dev.output().match(/^\S+ +success +vm-\w+ +host-[12] /gm)).toHaveLength(8);
    expect(dev.output()).toMatch(/^experimental +failed \(allowed\) +vm-\w+ +host-[12] /m);
    expect(dev.output()).toContain("Left behind: 0 microVMs, 0 runners, 0 addresses");
  });

  it.each([["dev"], ["dev", "host"]])("refuses what is no fault before anything starts (%s %s)", async (...command) => {
    const refused = run(...command, "--faults", "lost-answers,gremlins");
    expect(await endOf(refused)).toBe(1);
    expect(refused.output()).toContain('"gremlins" is refused: must be one of unavailable, lost-answers');
    expect(refused.output()).not.toContain("GitLab ");
  });
});

describe("firerunner dev host --faults", () => {
  it("says which faults it has, and how to have the same again", async () => {
    const host = run("dev", "host", "--listen", "127.0.0.1:0", "--directory", join(directory, "host"), "--faults", "crashes");
    await until("it is up", () => host.output().includes("isolates nothing"), { tell: host.output });
    expect(host.output()).toMatch(/^Faults: crashes \(the same again with seed=\d+\)$/m);
    host.signal("SIGTERM");
    expect(await endOf(host)).toBe(0);
  });
});
