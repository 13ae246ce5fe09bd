import { expect, it } from "vitest";
import { seededRandom } from "./seeded-random.js";
import { ulid } from "./ulid.js";

it("writes a ULID whose first ten characters are its time", () => {
  const random = seededRandom();
  expect(ulid(1_469_918_176_385, random)).toMatch(/^01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/);
  expect(ulid(1, random)).not.toBe(ulid(1, random));
  expect(ulid(1_700_000_000_000, random) < ulid(1_700_000_000_001, random)).toBe(true);
});
