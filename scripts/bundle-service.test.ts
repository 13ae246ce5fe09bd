import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../reconciler/model/until.fixture.js";
import { bundleService, serviceBundle } from "./bundle-service.js";

const root = fileURLToPath(new URL("..", import.meta.url));
let directory: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  // Within the root: that is where its packages are found from.
  mkdirSync(join(root, ".cache"), { recursive: true });
  directory = mkdtempSync(join(root, ".cache", "bundle-"));
  await bundleService({ from: root, into: directory });
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** The one file as a process, with a service file of this text. */
function start(service: string, ...nodeOptions: readonly string[]) {
  writeFileSync(join(directory, "firerunner.yaml"), service);
  const env = { PATH: process.env.PATH, HOME: directory };
  const child = spawn(process.execPath, [...nodeOptions, join(directory, serviceBundle), "serve"], { cwd: directory, env });
  children.push(child);
  let output = "";
  const keep = (data: unknown) => {
    output += String(data);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return { child, output: () => output, code: new Promise((resolve) => child.once("close", resolve)) };
}

it("has our own code alone, and a source map that leads to it", () => {
  const text = readFileSync(join(directory, serviceBundle), "utf8");
  expect(text).toContain("// reconciler/control/reconciler.ts");
  expect(text).not.toContain("// node_modules/");
  expect(text).not.toContain("// reconciler/simulator/");
  const { sources } = JSON.parse(readFileSync(join(directory, `${serviceBundle}.map`), "utf8")) as { sources: string[] };
  expect(sources.filter((path) => !existsSync(join(directory, serviceBundle, "..", path)))).toEqual([]);
});

it("is the service, until SIGTERM", async () => {
  const anyPort = 'listen: "127.0.0.1:0"';
  const serve = start(`owner: me\nstateDir: state\nlisteners:\n  public: {${anyPort}}\n  guest: {${anyPort}}\n  admin: {${anyPort}}\n`);
  await until(() => existsSync(join(directory, "state/admin-url")), `the service is up: ${serve.output()}`);
  serve.child.kill("SIGTERM");
  expect([await serve.code, serve.output().match(/Warning/g)]).toEqual([0, null]);
  expect(serve.output()).toContain('"message":"stopped"');
});

it("says of a mistake what the command says that was not bundled", async () => {
  const serve = start("owner: me\nlistners: {}\n");
  expect([await serve.code, serve.output()]).toEqual([1, "error FR-CONFIG: firerunner.yaml:2: listners: is not a known field\n"]);
});
