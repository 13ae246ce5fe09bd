import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { type FoundFlintlockd, findFlintlockd } from "../../scripts/find-flintlockd.js";
import { whyNoGo } from "../../scripts/go-toolchain.js";

declare module "vitest" {
  interface ProvidedContext {
    /** What the tests run, or why they cannot. */
    flintlockd: FoundFlintlockd;
    /** The containerd that was built for them; empty where they are skipped. */
    containerd: string;
  }
}

const module = fileURLToPath(new URL("containerd", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/flintlockd", import.meta.url));
const buildLimitMs = 20 * 60_000;

/** Looks once for a flintlockd. Without one nothing is built, and the tests are skipped, whatever CI says: no registry carries it. */
export default function setUp(vitest: TestProject): void {
  const found = findFlintlockd(process.env);
  if (found.kind === "missing") process.stderr.write(`not run: ${found.reason}\n`);
  vitest.provide("flintlockd", found);
  vitest.provide("containerd", found.kind === "found" ? builtContainerd() : "");
}

/** Built once of the same sources. */
function builtContainerd(): string {
  const hash = createHash("sha256");
  for (const file of ["main.go", "go.mod", "go.sum"]) hash.update(readFileSync(join(module, file)));
  const program = join(cache, `containerd-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(program)) return program;
  const missing = whyNoGo(module, process.env);
  if (missing !== undefined) throw new Error(`test/flintlockd needs a containerd of its own: ${missing}`);
  mkdirSync(dirname(program), { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  const args = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", unfinished, "."];
  const env = { ...process.env, CGO_ENABLED: "0" };
  const { status } = spawnSync("go", args, { cwd: module, env, stdio: "inherit", timeout: buildLimitMs });
  if (status !== 0) throw new Error("building the containerd of test/flintlockd failed; what `go` said is above");
  renameSync(unfinished, program);
  return program;
}
