import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** A Rust that can build a package: the folder of its `cargo` and `rustc`, which goes before PATH. */
export interface FoundRust {
  readonly kind: "found";
  readonly folder: string;
  readonly version: string;
}

/** Why there is none, and how to get it: one line. */
export interface MissingRust {
  readonly kind: "missing";
  readonly reason: string;
}

/**
 * A Rust as new as the Cargo.toml in `folder` needs it: from the PATH of `env`, or where rustup puts it, which is not on
 * everybody's PATH.
 */
export function findRust(folder: string, env: Readonly<Record<string, string | undefined>>): FoundRust | MissingRust {
  const needed = /^rust-version = "(\d+\.\d+)"$/m.exec(readFileSync(join(folder, "Cargo.toml"), "utf8"))?.[1] ?? "";
  const get = `get Rust ${needed} or newer (on Debian 12 \`apt-get install rustc-web cargo-web\`; its rustc is too old; or https://rustup.rs), then run \`npm run setup\` again`;
  const path = (env.PATH ?? "").split(delimiter).filter((part) => part !== "");
  const folders = [...path, join(env.CARGO_HOME ?? join(env.HOME ?? homedir(), ".cargo"), "bin")];
  let tooOld: string | undefined;
  for (const candidate of folders.filter((each) => ["cargo", "rustc"].every((name) => existsSync(join(each, name))))) {
    // Asked in the package's folder, as cargo will be: rustup chooses by it.
    const { stdout } = spawnSync(join(candidate, "rustc"), ["--version"], { cwd: folder, env, encoding: "utf8", timeout: 60_000 });
    const version = /^rustc (\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1];
    if (version === undefined) continue;
    if (!isOlder(version, needed)) return { kind: "found", folder: candidate, version };
    tooOld ??= version;
  }
  const why = tooOld === undefined ? "there is no Rust on PATH or in ~/.cargo/bin" : `the Rust on PATH is too old (${tooOld})`;
  return { kind: "missing", reason: `${why}: ${get}` };
}

function isOlder(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = needed.split(".").map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}
