import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { placeEmbeddedRunner, placeGitLabRunner } from "./runner-program.js";

let folder = "";
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "firerunner-runner-program-"));
});
afterEach(async () => {
  await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const program = "#!/bin/sh\necho a runner\n";
const sha256 = createHash("sha256").update(program).digest("hex");
const placed = () => join(folder, "root/usr/bin/gitlab-runner");

async function serve(body: string, status = 200): Promise<string> {
  server = createServer((_, answer) => void answer.writeHead(status, { connection: "close" }).end(body));
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/gitlab-runner`;
}

it("takes gitlab-runner from a path or an address when it is what was pinned", async () => {
  const file = join(folder, "gitlab-runner");
  writeFileSync(file, program);
  for (const from of [file, await serve(program)]) {
    expect(await placeGitLabRunner({ from, sha256 }, join(folder, "root"))).toEqual({ kind: "gitlab-runner", version: `sha256:${sha256}` });
    expect(readFileSync(placed(), "utf8")).toBe(program);
    expect(statSync(placed()).mode & 0o777).toBe(0o755);
  }
});

it("fails for one that was tampered with, or cannot be had, and keeps nothing of it", async () => {
  const from = await serve(`${program}echo and more\n`);
  await expect(placeGitLabRunner({ from, sha256 }, join(folder, "root"))).rejects.toMatchObject({
    code: "FR-IMAGE-BUILD",
    message: expect.stringContaining("it is not what was pinned"),
  });
  expect(existsSync(placed())).toBe(false);
  await expect(placeGitLabRunner({ from: join(folder, "none"), sha256 }, join(folder, "root"))).rejects.toMatchObject({
    code: "FR-IMAGE-BUILD",
  });
  await expect(placeGitLabRunner({ from, sha256: "abc" }, join(folder, "root"))).rejects.toMatchObject({ code: "FR-INVALID" });
});

it("an address that answers with an error is no gitlab-runner", async () => {
  const from = await serve("not here", 404);
  await expect(placeGitLabRunner({ from, sha256 }, join(folder, "root"))).rejects.toThrow("404 Not Found");
});

it("the embedded runner in an image runs by itself, with nothing of this checkout", async () => {
  const root = join(folder, "root");
  expect(await placeEmbeddedRunner(root)).toMatchObject({
    kind: "embedded",
    version: expect.stringMatching(/^v\d+\.\d+\.\d+ [0-9a-f]{12}$/),
  });
  const runner = join(root, "usr/lib/firerunner");
  symlinkSync("/nonexistent", join(folder, "node_modules"));
  const run = () =>
    execFileSync(join(runner, "node"), [join(runner, "runner/embedded/runner/bin.js"), "--url", "x"], { encoding: "utf8", stdio: "pipe" });
  expect(run).toThrow(/must be the http or https address of a GitLab/);
  expect(readFileSync(new URL("../../images/rootfs/fr-runner", import.meta.url), "utf8")).toContain("runner/embedded/runner/bin.js");
});
