import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { markKey } from "../model/mark.js";
import { aMicrovm } from "./guest.fixture.js";
import { createMarks } from "./mark.js";

const key = "01".repeat(32);
const marks = createMarks(key, "acme");
const text = marks.make(aMicrovm());

describe("an ownership mark", () => {
  it("is read back by the owner whose key made it", () => {
    expect(marks.read({ [markKey]: text, "user-data": "…" })).toMatchObject({
      v: 1,
      owner: "acme",
      vm: "vm-a",
      connection: "gl",
      pool: "small",
      size: "fr-small",
      image: "ubuntu",
      createdAt: 1_700_000_000_000,
    });
    expect(createMarks(key, "acme").make(aMicrovm())).toBe(text);
  });

  it("says nothing to another owner, another key, or without a mark", () => {
    expect(createMarks(key, "other").read({ [markKey]: text })).toBeUndefined();
    expect(createMarks("02".repeat(32), "acme").read({ [markKey]: text })).toBeUndefined();
    expect(marks.read({})).toBeUndefined();
  });

  it("is not true once any field of it was changed", () => {
    const mark = JSON.parse(text) as Record<string, unknown>;
    fc.assert(
      fc.property(fc.constantFrom("vm", "connection", "pool", "size", "image", "hmac"), fc.string({ minLength: 1 }), (name, value) => {
        fc.pre(value !== mark[name]);
        return marks.read({ [markKey]: JSON.stringify({ ...mark, [name]: value }) }) === undefined;
      }),
    );
    expect(marks.read({ [markKey]: JSON.stringify({ ...mark, createdAt: 1 }) })).toBeUndefined();
  });

  it("may be any text: what is no mark is none", () => {
    for (const bad of ["", "null", "[]", "{", `{"v":2}`, text.slice(0, -1), text.padEnd(5000)]) {
      expect(marks.read({ [markKey]: bad })).toBeUndefined();
    }
  });
});
