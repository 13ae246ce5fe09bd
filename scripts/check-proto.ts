/** Generates the code of `proto/` again, in a temporary folder, and compares it with what is committed in `proto/gen`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buf = join(dirname(createRequire(import.meta.url).resolve("@bufbuild/buf/package.json")), "bin", "buf");

function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path, "utf8")]));
}

function differences(committed: ReadonlyMap<string, string>, generated: ReadonlyMap<string, string>): string[] {
  const missing = [...generated.keys()].filter((path) => !committed.has(path)).map((path) => `${path} is missing`);
  const other = [...committed].filter(([path, text]) => generated.get(path) !== text);
  return [...missing, ...other.map(([path]) => (generated.has(path) ? `${path} differs` : `${path} is not generated any more`))];
}

function check(): { ok: boolean; line: string } {
  const temporary = mkdtempSync(join(tmpdir(), "firerunner-proto-"));
  try {
    const run = spawnSync(process.execPath, [buf, "generate", "-o", temporary], { cwd: root, encoding: "utf8", timeout: 60_000 });
    if (run.status !== 0) {
      const reason = run.error?.message ?? run.stderr.trim().replaceAll("\n", "; ");
      return { ok: false, line: `check-proto: buf generate failed: ${reason}` };
    }
    const found = differences(contents(join(root, "proto", "gen")), contents(join(temporary, "proto", "gen")));
    if (found.length === 0) return { ok: true, line: "check-proto: proto/gen is what buf generates from proto/" };
    return { ok: false, line: `check-proto: proto/gen is not current (${found.join(", ")}); run \`npm run proto\` and commit it` };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const result = check();
(result.ok ? process.stdout : process.stderr).write(`${result.line}\n`);
process.exitCode = result.ok ? 0 : 1;
