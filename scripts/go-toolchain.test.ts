import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { whyNoGo } from "./go-toolchain.js";

describe("the Go that builds the Pulumi CLI", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-go-"));
    writeFileSync(join(folder, "go.mod"), "module example\n\ngo 1.25.11\n");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** What is said about a `go` that does this. */
  function said(script: string): string | undefined {
    writeFileSync(join(folder, "go"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return whyNoGo(folder, { PATH: folder });
  }

  it.each(["go1.25.11", "go1.26.8", "go2.0"])("%s will do", (version) => {
    expect(said(`echo ${version}`)).toBeUndefined();
  });

  it.each(["go1.19.8", "go1.25.3", "go1.24rc1"])("%s is too old, and it is said what to get", (version) => {
    expect(said(`echo ${version}`)).toMatch(/too old \(1\..+get Go 1\.25\.11 or newer from https:\/\/go\.dev\/dl/);
  });

  it("one that refuses the module is too old", () => {
    expect(said("echo 'go.mod requires go >= 1.25.11 (running go 1.24.4; GOTOOLCHAIN=local)' >&2; exit 1")).toMatch(
      /too old: get Go 1\.25\.11/,
    );
  });

  it("none at all is told apart", () => {
    expect(whyNoGo(folder, { PATH: folder })).toMatch(/no Go on PATH: get Go 1\.25\.11/);
  });
});
