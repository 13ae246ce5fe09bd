import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterEach, beforeEach, expect, it } from "vitest";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-compiled-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/**
 * Runs a program that loads something large and then goes on with `rest`, and kills it if that says something; tells how it ended
 * and whether what it loaded was kept. Without tsx, which has things kept too.
 */
async function load(rest: string) {
  const script = join(directory, "compile-cache.mjs");
  const source = readFileSync(new URL("./compile-cache.ts", import.meta.url), "utf8");
  writeFileSync(script, ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } }).outputText);
  const [own, large] = [script, createRequire(import.meta.url).resolve("zod")].map((path) => JSON.stringify(pathToFileURL(path).href));
  const kept = join(directory, "kept");
  const program = `import { keepCompiled, writeCompiled } from ${own}; keepCompiled(${JSON.stringify(kept)}); await import(${large}); ${rest}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.once("data", () => child.kill("SIGKILL"));
  const [status, signal]: unknown[] = await once(child, "exit");
  return { end: status ?? signal, isKept: existsSync(kept) && readdirSync(kept, { recursive: true }).length > 20 };
}

const untilKilled = 'console.log("kill me"); setTimeout(() => {}, 60_000);';

it("keeps what was compiled where it is told to, if this Node can, and is no matter if it cannot", async () => {
  expect(await load("")).toEqual({ end: 0, isKept: "enableCompileCache" in module });
});

it("keeps nothing of a process that is killed", async () => {
  expect(await load(untilKilled)).toEqual({ end: "SIGKILL", isKept: false });
});

it("keeps it in time when it is told to", async () => {
  expect(await load(`writeCompiled(); ${untilKilled}`)).toEqual({ end: "SIGKILL", isKept: "flushCompileCache" in module });
});
