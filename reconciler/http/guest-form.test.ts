import { describe, expect, it } from "vitest";
import { readGuestForm } from "./guest-form.js";

describe("a guest's form", () => {
  it("gives the fields that it is asked for, and leaves others alone", () => {
    const form = readGuestForm("vm=vm-a\nboot_id=a=b\nlater=1\n");
    expect(form.field("vm", /^vm-/, "a name")).toBe("vm-a");
    expect(form.field("boot_id", /./, "an id")).toBe("a=b");
  });

  it("refuses what is missing or wrong with the field and the accepted form, never with the value", () => {
    const form = readGuestForm("nonce=hunter2\n");
    expect(() => form.field("vm", /^vm-/, "the name of a microVM")).toThrow("vm is missing: must be the name of a microVM");
    expect(() => form.field("nonce", /^[0-9a-f]{64}$/, "64 hex digits")).toThrow(/^nonce is refused: must be 64 hex digits$/);
  });

  it("may lack what is optional, and is refused when that is wrong", () => {
    expect(readGuestForm("").optional("why", /./, "a text")).toBeUndefined();
    expect(readGuestForm("why=x\n").optional("why", /./, "a text")).toBe("x");
    expect(() => readGuestForm("why=x\n").optional("why", /^y/, "a text with y")).toThrow("why is refused: must be a text with y");
  });

  it.each(["no equals", "=value", "a=1\na=2", "a=1\n".repeat(2), "x=1\n".repeat(40)])("refuses %j", (body) => {
    expect(() => readGuestForm(body)).toThrow(expect.objectContaining({ code: "FR-INVALID" }));
  });

  it("may be empty", () => {
    expect(() => readGuestForm("").field("state", /./, "a state")).toThrow("state is missing");
  });
});
