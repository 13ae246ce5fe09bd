import { describe, expect, it } from "vitest";
import { bootText, createNonces } from "./boot-data.js";

describe("boot data", () => {
  it("is lines of key=value with the authority in base64", () => {
    const text = bootText({ vm: "vm-a", nonce: "ab", url: "https://fr.example:8471/", caPem: "-----BEGIN…\nline\n" });
    const fields = Object.fromEntries(
      text.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    expect(fields).toMatchObject({ v: "1", vm: "vm-a", nonce: "ab", url: "https://fr.example:8471" });
    expect(Buffer.from(fields.ca ?? "", "base64").toString()).toBe("-----BEGIN…\nline\n");
    expect(text.endsWith("\n")).toBe(true);
  });

  it("has no authority when there is none", () => {
    expect(bootText({ vm: "vm-a", nonce: "ab", url: "http://h:1" })).toBe("v=1\nvm=vm-a\nnonce=ab\nurl=http://h:1\n");
  });

  it("has a nonce that is always the same for a name, and another one for another name or key", () => {
    const nonceOf = createNonces("01".repeat(32));
    expect(nonceOf("vm-a")).toMatch(/^[0-9a-f]{64}$/);
    expect(createNonces("01".repeat(32))("vm-a")).toBe(nonceOf("vm-a"));
    expect(nonceOf("vm-b")).not.toBe(nonceOf("vm-a"));
    expect(createNonces("02".repeat(32))("vm-a")).not.toBe(nonceOf("vm-a"));
  });
});
