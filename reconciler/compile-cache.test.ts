import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-compiled-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

it("keeps what was compiled where it is told to, if this Node can, and is no matter if it cannot", () => {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const source = pathToFileURL(fileURLToPath(new URL("./compile-cache.ts", import.meta.url))).href;
  const kept = join(directory, "kept");
  const program = `import { keepCompiled } from ${JSON.stringify(source)}; keepCompiled(${JSON.stringify(kept)}); await import("zod");`;
  const { status, stderr } = spawnSync(process.execPath, ["--import", tsx, "--input-type=module", "--eval", program], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  expect(existsSync(kept) && readdirSync(kept).length > 0).toBe("enableCompileCache" in module);
});
