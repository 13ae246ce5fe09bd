import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findFlintlockd } from "./find-flintlockd.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "firerunner-find-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const missing = { kind: "missing", reason: expect.stringMatching(/^real flintlockd \(no flintlockd on PATH/) };

it.each([
  ["nothing on PATH", {}],
  ["a variable that is empty", { FIRERUNNER_FLINTLOCKD: "" }],
])("is missing, with one line that says so, for %s", (_, env) => {
  expect(findFlintlockd({ PATH: folder, ...env })).toEqual(missing);
});

it("refuses a path that was named and is not there, and a machine that has a flintlockd and cannot run it", () => {
  expect(() => findFlintlockd({ PATH: folder, FIRERUNNER_FLINTLOCKD: join(folder, "gone") })).toThrow(
    /FIRERUNNER_FLINTLOCKD: there is no ".*gone"/,
  );
  const program = join(folder, "flintlockd");
  writeFileSync(program, "");
  chmodSync(program, 0o755);
  expect(() => findFlintlockd({ PATH: folder })).toThrow(/there is .*flintlockd, but this machine lacks qemu-system-x86_64, /);
});
