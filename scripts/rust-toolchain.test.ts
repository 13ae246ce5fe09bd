import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findRust } from "./rust-toolchain.js";

describe("the Rust that builds the independent clients", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-rust-"));
    writeFileSync(join(folder, "Cargo.toml"), '[package]\nname = "example"\nrust-version = "1.90"\n');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Puts a Rust into a folder of that name. */
  function put(name: string, script: string): string {
    const bin = join(folder, name);
    mkdirSync(bin, { recursive: true });
    for (const program of ["cargo", "rustc"]) writeFileSync(join(bin, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return bin;
  }

  it.each(["1.90.0", "1.96.0", "2.0.0"])("%s will do", (version) => {
    const bin = put("bin", `echo "rustc ${version} (abcdef 2026-01-01)"`);
    expect(findRust(folder, { PATH: bin, HOME: folder })).toEqual({ kind: "found", folder: bin, version });
  });

  it("1.63.0, that of Debian 12, is too old, and it is said what to get", () => {
    const bin = put("bin", 'echo "rustc 1.63.0"');
    expect(findRust(folder, { PATH: bin, HOME: folder })).toMatchObject({
      reason: expect.stringMatching(/too old \(1\.63\.0\): get Rust 1\.90 or newer .+ rustc-web cargo-web/),
    });
  });

  it("a newer one of rustup is found although another comes first, or none is on PATH", () => {
    const old = put("bin", 'echo "rustc 1.63.0"');
    const rustup = put(join(".cargo", "bin"), 'echo "rustc 1.91.1"');
    for (const PATH of [old, ""]) expect(findRust(folder, { PATH, HOME: folder })).toMatchObject({ folder: rustup, version: "1.91.1" });
  });

  it("none at all is told apart, and so is one that does not answer", () => {
    expect(findRust(folder, { PATH: "", HOME: folder })).toMatchObject({ reason: expect.stringMatching(/no Rust on PATH or in/) });
    put("bin", "exit 1");
    expect(findRust(folder, { PATH: join(folder, "bin"), HOME: folder })).toMatchObject({ kind: "missing" });
  });
});
