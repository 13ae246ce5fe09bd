import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../model/until.fixture.js";
import { runTool } from "./run-tool.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "firerunner-tool-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Arguments of a tar that runs a child of its own, whose id is then in a file. */
const twoProcesses = (out: string): readonly string[] => [
  "-cf",
  "/dev/null",
  "--checkpoint=1",
  `--checkpoint-action=exec=echo $$ >${out}.new && mv ${out}.new ${out} && exec sleep 600`,
  "/usr/share",
];

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

it("what is ended by a signal is ended with its children, and the signal's reason is the error", async () => {
  const file = join(folder, "pid");
  const controller = new AbortController();
  const running = runTool("tar", twoProcesses(file), { limitMs: 60_000, signal: controller.signal });
  const ended = expect(running).rejects.toThrow("asked to end");
  await until(() => existsSync(file), "the tool has a child");
  controller.abort(new Error("asked to end"));
  await ended;
  expect(isAlive(Number(readFileSync(file, "utf8")))).toBe(false);
  await expect(runTool("tar", ["--version"], { limitMs: 60_000, signal: controller.signal })).rejects.toThrow("asked to end");
});

it("a program that is not there is told of with its package, also when another was to start it", async () => {
  for (const program of ["setpriv", "unshare"]) symlinkSync(`/usr/bin/${program}`, join(folder, program));
  const run = (tool: "umoci" | "unshare", ...args: readonly string[]) => runTool(tool, args, { env: { PATH: folder }, limitMs: 60_000 });
  await expect(run("umoci", "--version")).rejects.toMatchObject({
    code: "FR-CONFIG",
    message: expect.stringContaining("apt-get install umoci"),
  });
  await expect(run("unshare", "mmdebstrap")).rejects.toMatchObject({ message: expect.stringContaining("apt-get install mmdebstrap") });
});

it("what a tool does ends with the process that started it, however that ends", async () => {
  const file = join(folder, "pid");
  const script = `
    import { runTool } from ${JSON.stringify(new URL("./run-tool.ts", import.meta.url).href)};
    await runTool("tar", ${JSON.stringify(twoProcesses(file))}, { limitMs: 60_000 });
  `;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script], { stdio: "ignore" });
  await until(() => existsSync(file), "the tool has a child");
  const tool = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${readFileSync(file, "utf8").trim()}/status`, "utf8"))?.[1]);
  child.kill("SIGKILL");
  await until(() => !isAlive(tool), "the tool is gone");
  process.kill(Number(readFileSync(file, "utf8")));
});
