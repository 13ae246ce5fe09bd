import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { findPulumi } from "../../scripts/pulumi-cli.js";

/** What the tests of this project share. */
export interface Ground {
  /** What goes before PATH for a real Pulumi. */
  readonly bin: string;
  /** A stock TypeScript project of Pulumi, with the packed package installed. Stacks live below it and find its modules. */
  readonly project: string;
  readonly tarball: string;
}

declare module "vitest" {
  interface ProvidedContext {
    /** Why there is no ground, or the ground. */
    pulumi: Ground | string;
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Packs the package as it would be published and installs it once, for all tests; skips both without a Pulumi. */
export default async function setUp(vitest: TestProject): Promise<(() => Promise<void>) | undefined> {
  const found = findPulumi();
  if (found.kind === "missing") {
    if (process.env.CI === "true") throw new Error(found.reason);
    process.stderr.write(`test/pulumi is skipped: ${found.reason}\n`);
    vitest.provide("pulumi", found.reason);
    return undefined;
  }
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "firerunner-pulumi-")));
  const tearDown = () => rm(folder, { recursive: true, force: true });
  try {
    const tarball = pack(folder);
    const project = join(folder, "project");
    writeStockProject(project);
    npm(project, "install", tarball, "@pulumi/pulumi@3.248.0", "typescript@5.9.3", "@types/node@20.19.0");
    vitest.provide("pulumi", { bin: found.folder, project, tarball });
  } catch (caught) {
    await tearDown();
    throw caught;
  }
  return tearDown;
}

function pack(folder: string): string {
  npm(root, "pack", "--pack-destination", folder);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack made no tarball");
  return join(folder, tarball);
}

/** As `pulumi new typescript` leaves it. */
function writeStockProject(project: string): void {
  mkdirSync(project);
  const compilerOptions = {
    strict: true,
    outDir: "bin",
    target: "es2020",
    module: "commonjs",
    moduleResolution: "node",
    sourceMap: true,
    experimentalDecorators: true,
    pretty: true,
    noFallthroughCasesInSwitch: true,
    noImplicitReturns: true,
    forceConsistentCasingInFileNames: true,
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["index.ts"] }));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "stock", main: "index.ts", private: true }));
}

function npm(cwd: string, ...args: readonly string[]): void {
  const flags = ["--silent", "--no-audit", "--no-fund", "--prefer-offline"];
  const { status, stdout, stderr } = spawnSync("npm", [...args, ...flags], { cwd, encoding: "utf8", timeout: 600_000 });
  // The compiler writes what it refuses to standard output.
  if (status !== 0) throw new Error(`npm ${args.join(" ")} failed:\n${stdout}${stderr}`);
}
