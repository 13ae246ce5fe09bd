import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const demands = 25;

/** The rows of the table in docs/testing.md: the test files and names that each of them gives. */
function rows(): readonly (readonly { readonly file: string; readonly name: string }[])[] {
  const [, table = ""] = readFileSync("docs/testing.md", "utf8").split("## What GitLab demands");
  const cells = [...table.matchAll(/^\| \d+ \| [^|]+ \| ([^|]*) \|$/gm)].map(([, cell = ""]) => cell);
  return cells.map((cell) => cell.split("<br>").flatMap((part) => readEntry(part)));
}

function readEntry(part: string) {
  const [, file, name] = /^`([^`]+\.test\.ts)`: (.+)$/.exec(part) ?? [];
  return file === undefined || name === undefined ? [] : [{ file, name }];
}

describe("what GitLab demands", () => {
  it("has a row each, and every test that a row names is there", () => {
    const found = rows();
    expect(found).toHaveLength(demands);
    const missing = found.flat().filter(({ file, name }) => !readFileSync(file, "utf8").includes(name));
    expect(missing).toEqual([]);
  });

  it("is shown by a test, but for what is not built", () => {
    const without = rows().flatMap((tests, index) => (tests.length === 0 ? [index + 1] : []));
    expect(without).toEqual([23]);
  });
});

it("the guide opens with the allow-list, the token and long polling", () => {
  const [, first = ""] = readFileSync("docs/gitlab.md", "utf8").split(/^## /m);
  expect(first).toMatch(/^Before you begin/);
  expect([...first.matchAll(/^\d\. \*\*(.+?)\*\*/gm)].map(([, heading]) => heading)).toEqual([
    "Webhooks to local addresses.",
    "A token that may.",
    "Long polling",
  ]);
});
