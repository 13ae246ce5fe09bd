import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ConsoleFile, keepConsole, keptConsoles } from "./console-file.js";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-console-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const path = () => join(directory, "console.log");
const host = () => join(directory, "host-1");

it("a console that is flooded takes a bounded place, and its end is there", () => {
  const file = new ConsoleFile(path(), 1_000);
  for (let n = 0; n < 500; n += 1) file.write(Buffer.from(`line ${n}\n`));
  file.close();
  expect(readdirSync(directory).sort()).toEqual(["console.log", "console.log.1"]);
  expect(statSync(path()).size + statSync(`${path()}.1`).size).toBeLessThanOrEqual(2_000);
  const text = readFileSync(`${path()}.1`, "utf8") + readFileSync(path(), "utf8");
  expect(text).toMatch(/^line \d+\n/);
  expect(text.endsWith("line 498\nline 499\n")).toBe(true);
});

it("goes on where an earlier boot ended, and only its owner reads it", () => {
  for (const text of ["one\n", "two\n"]) {
    const file = new ConsoleFile(path());
    file.write(Buffer.from(text));
    file.close();
  }
  expect(readFileSync(path(), "utf8")).toBe("one\ntwo\n");
  expect(statSync(path()).mode & 0o777).toBe(0o600);
});

it("what cannot be written is no fault of the VM", () => {
  const file = new ConsoleFile("/dev/full");
  file.write(Buffer.from("lost"));
  file.write(Buffer.from("lost too"));
  file.close();
});

it("the end of a console is kept under the VM's name, for the last sixteen VMs", async () => {
  writeFileSync(`${path()}.1`, "x".repeat(70_000));
  writeFileSync(path(), "the end\n");
  for (let n = 0; n < 20; n += 1) {
    await keepConsole(path(), host(), `vm-${n}`);
    utimesSync(join(keptConsoles(host()), `vm-${n}.log`), n, n);
  }
  const files = readdirSync(keptConsoles(host()));
  expect(files.length).toBeLessThanOrEqual(17);
  expect(files).toContain("vm-19.log");
  expect(files).not.toContain("vm-0.log");
  const text = readFileSync(join(keptConsoles(host()), "vm-19.log"), "utf8");
  expect(text.length).toBe(65_536);
  expect(text.endsWith("xthe end\n")).toBe(true);
});

it("nothing is kept of a VM without a console, or whose name is no file's", async () => {
  await keepConsole(path(), host(), "vm-1");
  writeFileSync(path(), "text");
  for (const name of ["../vm", "a/b", ".."]) await keepConsole(path(), host(), name);
  expect(existsSync(keptConsoles(host()))).toBe(false);
});
