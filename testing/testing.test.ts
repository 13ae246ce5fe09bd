import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { seededRandom, startEmbeddedGitLab, startEmbeddedHost } from "./index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const ends: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe("firerunner/testing", () => {
  it("starts hosts without being told anything, each at a port of its own", async () => {
    const hosts = [await startEmbeddedHost(), await startEmbeddedHost({ random: seededRandom(2) })];
    for (const host of hosts) ends.push(() => host.stop());
    expect(new Set(hosts.map(({ address }) => address)).size).toBe(2);
    for (const host of hosts) expect(host.microvms()).toEqual([]);
  });

  it("starts a GitLab that answers its administrator", async () => {
    const directory = mkdtempSync(join(tmpdir(), "firerunner-testing-"));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const gitlab = await startEmbeddedGitLab({ directory });
    ends.push(() => gitlab.stop());
    const response = await fetch(`${gitlab.url}/api/v4/projects`, { headers: { "private-token": gitlab.token } });
    expect([response.status, await response.json()]).toEqual([200, []]);
  });

  it("is shown by an example that runs", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "examples/testing/lost-answer.ts"], {
      cwd: root,
      timeout: 60_000,
    });
    expect(stdout).toMatch(/^the answer was lost, and build-1 is there once, as [0-9A-Z]{26}\n$/);
  });
});
