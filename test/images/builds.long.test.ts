import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { describeImages } from "./images-world.fixture.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

describeImages("builds that are ended early", () => {
  let folder = "";
  const children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-builds-"));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts a build of the root file system `shell`. */
  function start(): { readonly child: ChildProcess; readonly said: () => string } {
    const args = ["--import", "tsx", join(root, "reconciler/cli/bin.ts"), "image", "build", "shell", "--dir", folder];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    return { child, said: () => text };
  }

  const builds = () => readdirSync(folder).filter((name) => name.startsWith("build-"));
  /** Packages are being put into a root file system. */
  const isInstalling = () =>
    builds().some((build) =>
      readdirSync(join(folder, build)).some((name) => name.startsWith("mmdebstrap.") && existsSync(join(folder, build, name, "usr"))),
    );
  /** Processes that have something to do with the folder, but those that were started here. */
  const processes = () =>
    readdirSync("/proc").filter((pid) => {
      if (!/^\d+$/.test(pid) || children.some((child) => String(child.pid) === pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
      } catch {
        return false;
      }
    });
  const mounts = () =>
    readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(folder));
  const installing = { deadlineMs: 300_000, everyMs: 50 };

  it("leave nothing when they are interrupted, and when they are killed no more than the next build takes away", async () => {
    const killed = start();
    await until("packages are installed", isInstalling, { ...installing, tell: killed.said });
    killed.child.kill("SIGKILL");
    await until("its processes are gone", () => processes().length === 0, { deadlineMs: 60_000 });
    expect(mounts()).toEqual([]);
    const left = builds();
    expect(left).toHaveLength(1);

    const interrupted = start();
    const waiting = start();
    const isAgain = () => !builds().includes(left[0] ?? "") && isInstalling();
    await until("packages are installed again", isAgain, { ...installing, tell: interrupted.said });
    await until("another build waits", () => `${interrupted.said()}${waiting.said()}`.includes("waiting for its end"), installing);
    expect(builds()).toHaveLength(1);
    const ended = [interrupted, waiting].map(async ({ child, said }) => {
      child.kill("SIGINT");
      const [code] = await once(child, "exit");
      expect(code, said()).toBe(130);
      expect(said()).toContain("nothing of it is left");
    });
    await Promise.all(ended);
    expect(builds()).toEqual([]);
    expect(processes()).toEqual([]);
    expect(mounts()).toEqual([]);
    expect(existsSync(join(folder, "layout"))).toBe(false);
  });
});
