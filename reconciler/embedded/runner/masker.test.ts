import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Masker } from "./masker.js";

/** The chunks as they come out, and together. */
function masked(secrets: readonly string[], chunks: readonly string[]): { readonly parts: readonly string[]; readonly whole: string } {
  const masker = new Masker(secrets);
  const parts = [...chunks.map((chunk) => masker.push(Buffer.from(chunk))), masker.flush()].map(String);
  return { parts, whole: parts.join("") };
}

describe("masking", () => {
  test.each([
    [["secret"], ["a secret here"], "a [MASKED] here"],
    [["secret"], ["a sec", "ret here"], "a [MASKED] here"],
    [["secret"], [..."a secret here"], "a [MASKED] here"],
    [["secret"], ["a sec", "ond one"], "a second one"],
    [["secret"], ["secretsecret"], "[MASKED][MASKED]"],
    [["secret", "cretin"], ["a secretin b"], "a [MASKED] b"],
    [["secret", "secret-longer"], ["secret-longer secret"], "[MASKED] [MASKED]"],
    [["aaaa"], ["aaaaaaa", "aab"], "[MASKED]b"],
    [["line1\nline2"], ["x line1\n", "line2 y"], "x [MASKED] y"],
    [["grün"], ["so gr", "ün"], "so [MASKED]"],
    [["", "x"], ["axb"], "a[MASKED]b"],
    [[], ["a", "b"], "ab"],
    [["abc"], ["ab"], "ab"],
  ])("%j in %j", (secrets, chunks, expected) => {
    expect(masked(secrets, chunks).whole).toBe(expected);
  });

  test("nothing is held back that cannot become a secret", () => {
    expect(masked(["secret"], ["all of it", " and s", "o on"]).parts).toEqual(["all of it", " and ", "so on", ""]);
  });

  test("an endless secret does not pile up", () => {
    const masker = new Masker(["aaaa"]);
    masker.push(Buffer.from("aaaa"));
    for (let round = 0; round < 100; round += 1) expect(String(masker.push(Buffer.from("aaaaaaaaaa")))).toBe("");
    expect(String(masker.push(Buffer.from("b")))).toBe("b");
  });

  // Few letters, so that secrets occur, overlap and contain each other.
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 40 });
  const secrets = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 6 }), { maxLength: 4 });

  test("the chunks make no difference", () => {
    fc.assert(
      fc.property(secrets, fc.array(letters, { maxLength: 6 }), (given, chunks) => {
        expect(masked(given, chunks).whole).toBe(masked(given, [chunks.join("")]).whole);
      }),
      { numRuns: 500 },
    );
  });

  test("exactly the bytes of occurrences are replaced", () => {
    fc.assert(
      fc.property(secrets, letters, (given, text) => {
        const hidden = [...text].map((_, index) =>
          given.some((secret) => [...secret].some((_letter, offset) => text.startsWith(secret, index - offset) && index >= offset)),
        );
        const kept = [...text].filter((_, index) => !hidden[index]).join("");
        expect(masked(given, [text]).whole.replaceAll("[MASKED]", "")).toBe(kept);
      }),
      { numRuns: 500 },
    );
  });
});
