/**
 * Packs the package as it would be published and looks at it as its users would: publint and attw on the tarball, then a
 * stock TypeScript project (`module: commonjs`, `moduleResolution: node`) that installs it, type-checks and runs.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules", ".bin", name);
const folder = mkdtempSync(join(tmpdir(), "firerunner-package-"));

function run(cwd: string, command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", timeout: 300_000, stdio: ["ignore", "pipe", "inherit"] });
}

/** What a project of one's own might do without Pulumi. */
const program = `
import { declaredSchemas, FireRunnerError, type PoolInput } from "firerunner/admin";
import { provider } from "firerunner/dynamic";
import { startEmbeddedHost, type HostDials } from "firerunner/testing";

const pool: PoolInput = {
  name: "small", connection: "gitlab", image: "shell", tags: ["firerunner"],
  sizes: { small: { vcpu: 1, memoryMb: 1024 } }, size: "small", maxMicrovms: 2,
};
const parsed = declaredSchemas.pool.safeParse(pool);
if (!parsed.success) throw new FireRunnerError("FR-INVALID", "the pool is refused");
provider("RunnerPool").check({}, { ...pool }).then(({ failures }) => {
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const faults: Partial<HostDials> = { unavailable: true };
  return startEmbeddedHost().then((host) => {
    host.dial(faults);
    console.log("a stock project without Pulumi uses firerunner/admin, /dynamic and /testing, with a host at " + host.address);
    return host.stop();
  });
});
`;

/** What a program for Pulumi does, run with mocks in the engine's place. */
const pulumiProgram = `
import * as pulumi from "@pulumi/pulumi";
import { FlintlockHost, type FlintlockHostArgs, GitLabConnection, MicrovmImage, Reconciler, RunnerFleet, RunnerPool } from "firerunner";

const names: string[] = [];
const host: FlintlockHostArgs = { endpoint: "h:9090", capacity: { vcpu: 1, memoryMb: 1024, microvms: 1 }, network: { mode: "dhcp" } };

async function main(): Promise<void> {
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs }) => {
      names.push(name);
      return { id: name, state: inputs };
    },
    call: ({ inputs }) => inputs,
  });
  const provider = new Reconciler("reconciler", { endpoint: "http://127.0.0.1:1", token: pulumi.secret("t") });
  const made = new FlintlockHost("host", host, { provider });
  const image = new MicrovmImage("image", { kernel: { image: "r/k:1" }, rootfs: { image: pulumi.output("r/r:1") }, resolveTags: false });
  const gitlab = new GitLabConnection("gitlab", { url: "https://g.example", token: "env:T", scope: { instance: true } });
  const pool = new RunnerPool("pool", {
    connection: gitlab.name, image: image.name, tags: ["vm"], sizes: { small: { vcpu: 1, memoryMb: 1024 } }, size: "small", maxMicrovms: 2,
  });
  const fleet = new RunnerFleet("fleet", { hosts: [{ ...host, name: "in-fleet" }] });
  const reachable: pulumi.Output<boolean> = made.reachable;
  if (!RunnerPool.isInstance(pool)) throw new Error("the pool is not one");
  await new Promise((resolve) => pulumi.all([pool.urn, reachable.apply(String), ...fleet.hosts.map(({ urn }) => urn)]).apply(resolve));
  if (!names.includes("fleet-in-fleet")) throw new Error("registered: " + names.join(", "));
  console.log("a stock project with Pulumi declares a fleet");
}
void main();
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
  if (existsSync(join(project, "node_modules", "@pulumi"))) throw new Error("the package brings Pulumi's SDK to those who do not use it");

  writeFileSync(join(project, "index.ts"), pulumiProgram);
  run(project, "npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "@pulumi/pulumi@3.248.0");
  run(project, join(project, "node_modules", ".bin", "tsc"));
  console.log(run(project, process.execPath, join("bin", "index.js")).trim());
  console.log(
    `firerunner ${run(project, join(project, "node_modules", ".bin", "firerunner"), "--version").trim()} starts from the package`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
