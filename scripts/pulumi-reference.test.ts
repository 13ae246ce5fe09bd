import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { reference, withReference } from "./pulumi-reference.js";

const text = readFileSync(new URL("../docs/pulumi.md", import.meta.url), "utf8");

it("docs/pulumi.md has the reference that the resources' own comments make", () => {
  expect(withReference(text)).toBe(text);
});

it("every input and output of every resource says what it is", () => {
  const rows = reference()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.filter((row) => /\|\s*\|$/.test(row))).toEqual([]);
});
