/**
 * Makes the independent clients of `test/clients` in the ignored cache: python-gitlab in a virtual environment of its own,
 * and the two programs in Rust. What cannot be had is said in one line and is no failure: everything but the suite
 * `clients` works without.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { builtClient, type ClientKind, clientSources, clientsFolder, findClient, rustPrograms, wholeMark } from "./clients.js";
import { findRust } from "./rust-toolchain.js";

const aptMs = 10 * 60_000;
const pipMs = 5 * 60_000;
const buildMs = 25 * 60_000;

/** Runs a command, and tells whether it ended well. What it says is seen. */
function run(command: string, args: readonly string[], timeout: number, env: NodeJS.ProcessEnv = process.env): boolean {
  return spawnSync(command, args, { env, stdio: ["ignore", "inherit", "inherit"], timeout }).status === 0;
}

/** Installs Debian packages where that is possible. One that would take another away is left: somebody wanted that other. */
function install(...packages: readonly string[]): void {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).error !== undefined) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  if (!run("apt-get", ["update", "-q"], aptMs, env)) return;
  run("apt-get", ["install", "-y", "-q", "--no-install-recommends", "--no-remove", ...packages], aptMs, env);
}

/** Why python-gitlab could not be installed into `folder`, or undefined. */
function installPython(folder: string): string | undefined {
  const asks = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
  const usable = () => spawnSync("python3", ["-c", asks], { stdio: "ignore", timeout: 60_000 }).status === 0;
  if (!usable()) install("python3", "python3-venv");
  if (!usable()) return "it needs Python 3.10 or newer with venv (on Debian `apt-get install python3-venv`)";
  if (!run("python3", ["-m", "venv", folder], pipMs)) return "`python3 -m venv` failed";
  const requirements = join(clientSources.python, "requirements.txt");
  const flags = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:", "-r", requirements];
  return run(join(folder, "bin", "python"), ["-m", "pip", "install", ...flags], pipMs) ? undefined : "pip failed";
}

/** Why the programs in Rust could not be built into `folder`, or undefined. */
function buildRust(folder: string): string | undefined {
  const look = () => findRust(clientSources.rust, process.env);
  if (look().kind === "missing") install("rustc-web", "cargo-web", "gcc", "libc6-dev");
  const rust = look();
  if (rust.kind === "missing") return rust.reason;
  const target = join(clientsFolder, "cargo-target");
  const env = { ...process.env, PATH: `${rust.folder}${delimiter}${process.env.PATH ?? ""}`, CARGO_TERM_COLOR: "never" };
  const args = [
    "build",
    "--quiet",
    "--locked",
    "--bins",
    "--manifest-path",
    join(clientSources.rust, "Cargo.toml"),
    "--target-dir",
    target,
  ];
  if (!run("nice", ["-n", "10", "cargo", ...args], buildMs, env)) return "cargo failed";
  mkdirSync(folder, { recursive: true });
  for (const program of rustPrograms) copyFileSync(join(target, "debug", program), join(folder, program));
  return undefined;
}

const makers: Readonly<Record<ClientKind, { readonly what: string; readonly make: (folder: string) => string | undefined }>> = {
  python: { what: "python-gitlab", make: installPython },
  rust: { what: "the clients in Rust", make: buildRust },
};

/** Made where it stays, because a virtual environment cannot be moved; what an older source made is taken away. */
function setUp(kind: ClientKind): void {
  const { what, make } = makers[kind];
  const folder = builtClient(kind);
  if (findClient(kind) !== undefined) {
    console.log(`setup: ${what} in ${folder}`);
    return;
  }
  const began = performance.now();
  console.log(`setup: making ${what}`);
  const older = readdirSync(clientsFolder).filter((name) => name.startsWith(`${kind}-`));
  for (const name of older) rmSync(join(clientsFolder, name), { recursive: true, force: true });
  const missing = make(folder);
  if (missing === undefined) {
    writeFileSync(join(folder, wholeMark), "");
    console.log(`setup: ${what} made in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    return;
  }
  rmSync(folder, { recursive: true, force: true });
  console.error(`setup: ${what} left out, and with it test/clients/${kind}*.test.ts; ${missing}`);
}

mkdirSync(clientsFolder, { recursive: true });
setUp("python");
setUp("rust");
