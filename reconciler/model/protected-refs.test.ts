import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isProtectedRef } from "./protected-refs.js";

describe("a protected ref", () => {
  it.each([
    ["main", "main", true],
    ["main", "Main", false],
    ["main", "main-2", false],
    ["*", "any/thing", true],
    ["release/*", "release/1/fix", true],
    ["release/*", "release", false],
    ["*-stable", "18-1-stable", true],
    ["*-stable", "18-1-stable-2", false],
    ["v*.*", "v1.2", true],
    ["v*.*", "v12", false],
    ["a*b*a", "aba", true],
    ["a*a", "a", false],
    ["v1.*", "v1x2", false],
    ["", "", false],
  ])("%j and the branch %j: %s", (pattern, ref, expected) => {
    expect(isProtectedRef({ branches: [pattern], tags: [] }, ref, false)).toBe(expected);
  });

  it("is looked for among the Git tags when it is one, and among the branches otherwise", () => {
    const refs = { branches: ["main"], tags: ["v*"] };
    expect([isProtectedRef(refs, "main", true), isProtectedRef(refs, "v1", true), isProtectedRef(refs, "v1", false)]).toEqual([
      false,
      true,
      false,
    ]);
  });

  it("fits its pattern as GitLab's regular expression does", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 6 });
    const ref = fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(text, ref, (pattern, name) => {
        const escaped = pattern.replaceAll(".", "\\.").replaceAll("*", ".*?");
        const expected = pattern !== "" && new RegExp(`^${escaped}$`).test(name);
        expect(isProtectedRef({ branches: [pattern], tags: [] }, name, false)).toBe(expected);
      }),
    );
  });

  it("is found in time whatever the pattern", () => {
    const pattern = `${"*a".repeat(200)}b`;
    expect(isProtectedRef({ branches: [pattern], tags: [] }, "a".repeat(5_000), false)).toBe(false);
  });
});
