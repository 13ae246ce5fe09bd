import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../model/until.fixture.js";

const bin = fileURLToPath(new URL("./bin.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly code: Promise<number | null>;
}

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-bin-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** A real process in a directory of its own, with nothing of this one's environment but the path. */
function start(args: readonly string[]): Started {
  const env = { PATH: process.env.PATH, HOME: directory };
  const child = spawn(process.execPath, ["--import", tsx, bin, ...args], { cwd: directory, env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  return { child, output: () => output, code: new Promise((resolve) => child.once("close", resolve)) };
}

it("serve runs until SIGTERM and ends with 0; commands beside it find it, its token and its URL", async () => {
  const anyPort = 'listen: "127.0.0.1:0"';
  writeFileSync(
    join(directory, "firerunner.yaml"),
    `owner: me\nstateDir: state\nlisteners:\n  public: {${anyPort}}\n  guest: {${anyPort}}\n  admin: {${anyPort}}\n`,
  );
  const serve = start(["serve"]);
  await until(() => existsSync(join(directory, "state/admin-url")), `the service is up: ${serve.output()}`);
  const get = start(["get", "images", "-o", "json"]);
  expect([await get.code, get.output()]).toEqual([0, "[]\n"]);
  serve.child.kill("SIGTERM");
  expect(await serve.code).toBe(0);
  expect(serve.output()).toContain('"message":"stopped"');
});

it("a mistake in the service file ends with 1, a line for it and no stack", async () => {
  writeFileSync(join(directory, "firerunner.yaml"), "owner: me\nlistners: {}\n");
  const serve = start(["serve"]);
  expect([await serve.code, serve.output()]).toEqual([1, "error FR-CONFIG: firerunner.yaml:2: listners: is not a known field\n"]);
});

it("without a service file it says how to begin", async () => {
  const serve = start(["serve"]);
  expect(await serve.code).toBe(1);
  expect(serve.output()).toContain("there is no file firerunner.yaml here: write one");
});

it("the service comes from one file where there is one, and from nowhere else", async () => {
  const source = readFileSync(bin, "utf8");
  const built = join(directory, "bin.mjs");
  writeFileSync(built, ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } }).outputText);
  writeFileSync(join(directory, "run-process.js"), 'console.log("by its parts");');
  const said = (command: string) => execFileSync(process.execPath, [built, command], { encoding: "utf8" });
  expect([said("serve"), said("get")]).toEqual(["by its parts\n", "by its parts\n"]);
  writeFileSync(join(directory, "service.cjs"), 'console.log("in one file");');
  expect([said("serve"), said("get")]).toEqual(["in one file\n", "by its parts\n"]);
});

it("without a service to ask it says how to name one", async () => {
  const get = start(["get", "jobs"]);
  expect(await get.code).toBe(1);
  expect(get.output()).toMatch(/^error FR-CONFIG: no service is known here: give --url and --token-file/);
});
