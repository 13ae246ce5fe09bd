import { describe, expect, it } from "vitest";
import { claim, type Leadership, mayWrite } from "./leadership.js";

const random = { next: () => 0, hex: (bytes: number) => "0".repeat(2 * bytes) };
const nobody: Leadership = { lease: undefined, takeovers: 0 };
const now = 1_700_000_000_000;
const ttlMs = 30_000;
const held = claim(nobody, "a", ttlMs, now, random) ?? nobody;

describe("a lease", () => {
  it.each([0, 1, ttlMs - 1])("is its holder's for as long as it lasts, %i ms later too", (laterMs) => {
    expect(claim(held, "b", ttlMs, now + laterMs, random)).toBeUndefined();
  });

  it("is free when it has run out", () => {
    expect(claim(held, "b", ttlMs, now + ttlMs, random)?.lease.holder).toBe("b");
  });

  it.each([1, 60_000, 86_400_000])(
    "of a holder that is gone is free when the clock was set back by %i ms: it lasts longer than any can",
    (byMs) => {
      const taken = claim(held, "b", ttlMs, now - byMs, random) ?? nobody;
      expect(taken.lease).toMatchObject({ holder: "b", expiresAt: now - byMs + ttlMs });
      expect([mayWrite(taken, held.lease?.epoch ?? ""), mayWrite(taken, taken.lease?.epoch ?? "")]).toEqual([false, true]);
    },
  );

  it("is renewed by its holder across a clock that was set back", () => {
    expect(claim(held, "a", ttlMs, now - 60_000, random)?.lease).toEqual({ ...held.lease, expiresAt: now - 30_000 });
  });
});
