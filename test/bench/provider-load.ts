import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Bench, type Figure, quantile, type RunOptions } from "./figure.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
const deadlineMs = 120_000;

/** What loading the provider costs the engine's process for dynamic resources, which has Pulumi's SDK loaded already. */
export const providerLoad: Bench = {
  name: "provider-load",
  about: "a new process loads firerunner/dynamic, built, after @pulumi/pulumi",
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const folder = mkdtempSync(join(tmpdir(), "firerunner-bench-"));
    try {
      const dynamic = await built(folder);
      const sdk = createRequire(import.meta.url).resolve("@pulumi/pulumi");
      const loads: Loads[] = [];
      for (let n = 0; n < (smoke ? 1 : 9); n += 1) loads.push(await load(sdk, dynamic));
      const median = (values: readonly number[]) => quantile(values, 0.5);
      return [
        { name: "firerunner/dynamic beyond the SDK", value: median(loads.map(({ own }) => own)), unit: "ms" },
        { name: "@pulumi/pulumi alone", value: median(loads.map((one) => one.sdk)), unit: "ms", floor: true },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Compiles the package as it is published; returns the file of `firerunner/dynamic`. */
async function built(folder: string): Promise<string> {
  const target = join(folder, "package");
  mkdirSync(target);
  symlinkSync(join(root, "node_modules"), join(target, "node_modules"), "dir");
  symlinkSync(join(root, "package.json"), join(target, "package.json"));
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const outDir = join(target, "dist");
  await run(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", outDir], { timeout: deadlineMs });
  return join(outDir, "provider", "dynamic.js");
}

interface Loads {
  readonly sdk: number;
  readonly own: number;
}

const script = `
const [sdk, own] = process.argv.slice(1);
const timed = (file) => { const from = performance.now(); require(file); return performance.now() - from; };
process.stdout.write(JSON.stringify({ sdk: timed(sdk), own: timed(own) }), () => process.exit(0));
`;

/** How long each takes in one new process, in ms, in the way in which the engine's process requires them. */
async function load(sdk: string, dynamic: string): Promise<Loads> {
  const { stdout } = await run(process.execPath, ["--no-warnings", "-e", script, sdk, dynamic], { timeout: deadlineMs });
  return JSON.parse(stdout) as Loads;
}
