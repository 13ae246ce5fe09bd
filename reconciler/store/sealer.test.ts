import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { createSealer } from "./sealer.js";

const key = "00112233445566778899aabbccddeeff".repeat(2);
const sealer = createSealer(key);

function refusal(run: () => unknown): FireRunnerError {
  try {
    run();
  } catch (caught) {
    if (caught instanceof FireRunnerError) return caught;
  }
  throw new Error("was not refused");
}

describe("the sealer", () => {
  it("opens what it sealed, under the same context and key", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (secret, context) => {
        const sealed = sealer.seal(secret, context);
        expect(sealed).toMatch(/^v1\.[A-Za-z0-9_-]+$/);
        expect(sealer.open(sealed, context)).toBe(secret);
        expect(createSealer(key.toUpperCase()).open(sealed, context)).toBe(secret);
      }),
    );
  });

  it("never seals to the same text twice", () => {
    expect(new Set(Array.from({ length: 100 }, () => sealer.seal("s", "c"))).size).toBe(100);
  });

  it("refuses another key, another context, and any changed character, without showing anything", () => {
    const secret = "glrt-secret-0815";
    const sealed = sealer.seal(secret, "vm-1");
    const last = sealed.slice(0, -1);
    const refused = [
      refusal(() => createSealer("f".repeat(64)).open(sealed, "vm-1")),
      refusal(() => sealer.open(sealed, "vm-2")),
      refusal(() => sealer.open("", "vm-1")),
      refusal(() => sealer.open("v1.", "vm-1")),
      refusal(() => sealer.open("v1.AAAA", "vm-1")),
      refusal(() => sealer.open(`v2.${sealed.slice(3)}`, "vm-1")),
      refusal(() => sealer.open(`${sealed}AAAA`, "vm-1")),
      refusal(() => sealer.open(last.slice(0, -3), "vm-1")),
      ...Array.from({ length: sealed.length - 4 }, (_, at) => {
        const changed = sealed[at + 3] === "A" ? "B" : "A";
        return refusal(() => sealer.open(`${sealed.slice(0, at + 3)}${changed}${sealed.slice(at + 4)}`, "vm-1"));
      }),
    ];
    for (const error of refused) {
      expect(error.code).toBe("FR-STORE-SEALED");
      const shown = `${error.message} ${JSON.stringify(error.details)} ${String(error.cause)}`;
      expect(shown).not.toContain(secret);
      expect(shown).not.toContain(sealed.slice(3, 20));
    }
  });

  it("refuses what is no key, without showing it", () => {
    for (const wrong of ["", "secret", "g".repeat(64), "a".repeat(63), `${"a".repeat(64)}\n`]) {
      const error = refusal(() => createSealer(wrong));
      expect(error.code).toBe("FR-CONFIG");
      expect(error.message).toContain(`must be 64 hex digits, has ${wrong.length} characters`);
      expect(error.message).not.toContain("gggg");
    }
  });
});
