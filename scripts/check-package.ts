/**
 * Packs the package as it would be published and looks at it as its users would: publint and attw on the tarball, then a
 * stock TypeScript project (`module: commonjs`, `moduleResolution: node`) that installs it, type-checks and runs.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules", ".bin", name);
const folder = mkdtempSync(join(tmpdir(), "firerunner-package-"));

function run(cwd: string, command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", timeout: 300_000, stdio: ["ignore", "pipe", "inherit"] });
}

/** What a project of one's own might do with the entries. */
const program = `
import { declaredSchemas, FireRunnerError, type PoolInput } from "firerunner";
import { provider } from "firerunner/dynamic";
import { startEmbeddedHost, type HostDials } from "firerunner/testing";

const pool: PoolInput = {
  name: "small", connection: "gitlab", image: "shell", tags: ["firerunner"],
  sizes: { small: { vcpu: 1, memoryMb: 1024 } }, size: "small", maxMicrovms: 2,
};
const parsed = declaredSchemas.pool.safeParse(pool);
if (!parsed.success) throw new FireRunnerError("FR-INVALID", "the pool is refused");
provider("Pool").check({}, { ...pool }).then(({ failures }) => {
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const faults: Partial<HostDials> = { unavailable: true };
  return startEmbeddedHost().then((host) => {
    host.dial(faults);
    console.log("a stock project uses all entries, with a host at " + host.address);
    return host.stop();
  });
});
`;

try {
  rmSync(join(root, "dist"), { recursive: true, force: true });
  run(root, "npm", "pack", "--silent", "--pack-destination", folder);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack made no tarball");
  const path = join(folder, tarball);
  console.log(run(root, bin("publint"), "run", path, "--strict").trim());
  // The package is ESM alone: CommonJS programs load it by require(esm), which every supported Node has.
  console.log(run(root, bin("attw"), path, "--ignore-rules", "cjs-resolves-to-esm", "--format", "ascii").trim());

  const project = join(folder, "project");
  mkdirSync(project);
  const typescript = {
    strict: true,
    outDir: "bin",
    target: "es2020",
    module: "commonjs",
    moduleResolution: "node",
    skipLibCheck: true,
    types: ["node"],
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: typescript, files: ["index.ts"] }));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "stock", version: "1.0.0", private: true }));
  writeFileSync(join(project, "index.ts"), program);
  run(
    project,
    "npm",
    "install",
    "--silent",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    path,
    "typescript@5.9.3",
    "@types/node@20.19.0",
  );
  run(project, join(project, "node_modules", ".bin", "tsc"));
  console.log(run(project, process.execPath, join("bin", "index.js")).trim());
  console.log(
    `firerunner ${run(project, join(project, "node_modules", ".bin", "firerunner"), "--version").trim()} starts from the package`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
