import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSecretResolver } from "./resolve-secret.js";

describe("resolving a secret reference", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "fr-secret-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("reads the environment that it was given", () => {
    const env: Record<string, string> = { TOKEN: "one" };
    const resolve = createSecretResolver(env);
    expect(resolve("env:TOKEN")).toBe("one");
    env.TOKEN = "two";
    expect(resolve("env:TOKEN")).toBe("two");
  });

  it.each([
    ["one line", "s3cret\n", "s3cret"],
    ["Windows line end", "s3cret\r\n", "s3cret"],
    ["no line end", "s3cret", "s3cret"],
    ["spaces and inner lines stay", " a\nb \n", " a\nb "],
  ])("reads a file without its trailing newline: %s", (_name, content, secret) => {
    writeFileSync(join(dir, "token"), content);
    expect(createSecretResolver({})(`file:${join(dir, "token")}`)).toBe(secret);
  });

  it("sees a file that was written again, exchanged, or whose link was turned to another", () => {
    const resolve = createSecretResolver({});
    const path = join(dir, "token");
    writeFileSync(path, "first");
    expect(resolve(`file:${path}`)).toBe("first");
    writeFileSync(path, "other");
    utimesSync(path, 1, 1);
    expect(resolve(`file:${path}`)).toBe("other");
    writeFileSync(join(dir, "next"), "third");
    renameSync(join(dir, "next"), path);
    expect(resolve(`file:${path}`)).toBe("third");
    writeFileSync(join(dir, "fourth"), "forth");
    symlinkSync(join(dir, "fourth"), join(dir, "link"));
    renameSync(join(dir, "link"), path);
    expect(resolve(`file:${path}`)).toBe("forth");
  });

  it("a file that went away is not answered from memory", () => {
    const resolve = createSecretResolver({});
    const path = join(dir, "token");
    writeFileSync(path, "first");
    resolve(`file:${path}`);
    rmSync(path);
    expect(() => resolve(`file:${path}`)).toThrow(expect.objectContaining({ code: "FR-CONFIG", message: expect.stringContaining(path) }));
  });

  it.each<[string, string, (path: string) => void]>([
    ["missing", "there is no such file", () => undefined],
    ["empty", "the file is empty", (path) => writeFileSync(path, "\n")],
    ["a directory", "it is not a regular file", (path) => mkdirSync(path)],
    ["too long", "longer than", (path) => writeFileSync(path, "x".repeat(70_000))],
  ])("refuses a file that is %s", (_name, reason, prepare) => {
    const path = join(dir, "token");
    prepare(path);
    expect(() => createSecretResolver({})(`file:${path}`)).toThrow(
      expect.objectContaining({ code: "FR-CONFIG", message: expect.stringContaining(reason) }),
    );
  });

  it("names a missing or empty variable, and never repeats what may be a secret itself", () => {
    const resolve = createSecretResolver({ EMPTY: "" });
    expect(() => resolve("env:NOPE")).toThrow("the environment has no variable NOPE");
    expect(() => resolve("env:EMPTY")).toThrow("the variable EMPTY is empty");
    expect(() => resolve("glpat-pasted-by-mistake")).toThrow(expect.objectContaining({ message: expect.not.stringContaining("glpat") }));
  });
});
