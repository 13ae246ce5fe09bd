import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRunnerDescription, runnerDescription } from "./identity.js";
import { macOf, microvmName, namespaceOf, ownerSchema } from "./mark.js";

test("the names of one seed differ, and with their namespace they stay within 36 characters", () => {
  const names = Array.from({ length: 1024 }, (_, n) => microvmName("abcdefghij", n));
  expect(new Set(names).size).toBe(1024);
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
  expect(namespaceOf("a".repeat(12)).length + (names[0]?.length ?? 0)).toBeLessThanOrEqual(36);
  expect(ownerSchema.safeParse("a".repeat(13)).success).toBe(false);
});

test("the MACs of one host differ, are locally administered and no group addresses", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 2 ** 24 - 1 }), fc.integer({ min: 0, max: 2 ** 24 - 1 }), (host, a, b) => {
      const first = Number.parseInt(macOf(host, a).slice(0, 2), 16);
      return (first & 0x03) === 0x02 && (macOf(host, a) === macOf(host, b)) === (a === b);
    }),
  );
});

test("a runner's description leads back to its pool and microVM, and only for its owner", () => {
  const description = runnerDescription("acme", "small", "vm-abc");
  expect(parseRunnerDescription("acme", description)).toEqual({ pool: "small", vm: "vm-abc" });
  expect(parseRunnerDescription("other", description)).toBeUndefined();
  for (const text of ["", "firerunner/acme/small", "firerunner/acme/small/", `${description}/x`, "some runner"])
    expect(parseRunnerDescription("acme", text)).toBeUndefined();
});
