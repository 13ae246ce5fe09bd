import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStateDir } from "./state-dir.js";

describe("the state directory", () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "fr-state-"));
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it("is made for its owner alone, and so are its files", () => {
    const directory = join(parent, "a/b");
    const state = openStateDir(directory);
    expect(state.secret("key", 32)).toMatch(/^[0-9a-f]{64}$/);
    state.write("admin-url", "http://127.0.0.1:1\n");
    expect(mode(directory)).toBe("700");
    expect([mode(state.path("key")), mode(state.path("admin-url"))]).toEqual(["600", "600"]);
    expect(readdirSync(directory).toSorted()).toEqual(["admin-url", "key"]);
  });

  it("keeps a secret once it is made, and takes one that was put there", () => {
    const made = openStateDir(parent).secret("key", 32);
    expect(openStateDir(parent).secret("key", 32)).toBe(made);
    writeFileSync(join(parent, "admin-token"), "chosen by hand\n");
    expect(openStateDir(parent).secret("admin-token", 32)).toBe("chosen by hand");
  });

  it("replaces what is written again", () => {
    const state = openStateDir(parent);
    state.write("admin-url", "one");
    state.write("admin-url", "two");
    expect(readFileSync(state.path("admin-url"), "utf8")).toBe("two");
    expect(state.has("admin-url")).toBe(true);
  });

  it("refuses an empty secret and a directory that cannot be", () => {
    writeFileSync(join(parent, "key"), "\n");
    expect(() => openStateDir(parent).secret("key", 32)).toThrow(
      expect.objectContaining({ code: "FR-CONFIG", message: expect.stringContaining("is empty") }),
    );
    expect(() => openStateDir(join(parent, "key"))).toThrow(expect.objectContaining({ code: "FR-CONFIG" }));
  });
});
