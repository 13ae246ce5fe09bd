/**
 * Packs the package as it would be published and looks at it as its users would: publint and attw on the tarball, then a
 * stock TypeScript project (`module: commonjs`, `moduleResolution: node`) that installs it, type-checks and runs.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serviceBundle } from "./bundle-service.js";

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

/** Rejects unless the service comes up within a minute and ends well when it is told to. */
async function startsAndEnds(cwd: string, firerunner: string): Promise<void> {
  const serve = spawn(firerunner, ["serve"], { cwd, stdio: ["ignore", "pipe", "inherit"], timeout: 60_000, killSignal: "SIGKILL" });
  let output = "";
  serve.stdout.on("data", (data) => {
    const wasUp = output.includes("FireRunner is up");
    output += data;
    // Told once: a second time would end it at once.
    if (!wasUp && output.includes("FireRunner is up")) serve.kill("SIGTERM");
  });
  const [status] = await once(serve, "close");
  if (status !== 0) throw new Error(`firerunner serve did not start and end as it should:\n${output}`);
}

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
  const firerunner = join(project, "node_modules", ".bin", "firerunner");
  console.log(`firerunner ${run(project, firerunner, "--version").trim()} starts from the package`);
  if (!existsSync(join(project, "node_modules", "firerunner", "dist", serviceBundle)))
    throw new Error("the package lacks the service in one file");
  const listeners = Object.fromEntries(["public", "guest", "admin"].map((name) => [name, { listen: "127.0.0.1:0" }]));
  writeFileSync(join(project, "firerunner.yaml"), JSON.stringify({ owner: "stock", listeners }));
  await startsAndEnds(project, firerunner);
  console.log("firerunner serve starts and ends");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
