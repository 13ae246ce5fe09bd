import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createProtectedRefs } from "./protected-refs.js";

const text = fc.string({ unit: fc.constantFrom("a", "b", "/", ".", "*"), maxLength: 8 });

describe("a protected name", () => {
  it("covers what a pattern covers in which every * stands for any text", () => {
    fc.assert(
      fc.property(text, text, (name, ref) => {
        const refs = createProtectedRefs();
        refs.add(1, "branches", name);
        const pattern = new RegExp(`^${name.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
        expect(refs.covers(1, "branches", ref)).toBe(pattern.test(ref));
        expect(refs.covers(1, "tags", ref) || refs.covers(2, "branches", ref)).toBe(false);
      }),
    );
  });
});
