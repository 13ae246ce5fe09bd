import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { provesSecret, provesSignature } from "./webhook.js";

const now = 1_770_000_000_000;
const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7));
const signingToken = `whsec_${key.toString("base64")}`;
const body = Buffer.from('{"object_kind":"build"}');

const sign = (id: string, seconds: number, bytes: Uint8Array, with_: Buffer = key): string =>
  `v1,${createHmac("sha256", with_).update(`${id}.${seconds}.`).update(bytes).digest("base64")}`;

const signed = (overrides: Record<string, string | undefined> = {}, seconds = now / 1000) => ({
  "webhook-id": "b7f0",
  "webhook-timestamp": String(seconds),
  "webhook-signature": sign("b7f0", seconds, body),
  ...overrides,
});

describe("proving where a webhook comes from", () => {
  it.each<[string, string | readonly string[] | undefined, boolean]>([
    ["the secret", "s3cret", true],
    ["another one", "s3creT", false],
    ["a longer one", "s3cret-and-more", false],
    ["nothing", undefined, false],
    ["an empty one", "", false],
    ["two of them", ["s3cret", "s3cret"], false],
  ])("knows the secret token: %s", (_name, given, right) => {
    expect(provesSecret({ headers: { "x-gitlab-token": given } }, "s3cret")).toBe(right);
  });

  it("is never satisfied by an empty secret", () => {
    expect(provesSecret({ headers: { "x-gitlab-token": "" } }, "")).toBe(false);
  });

  it("accepts what was signed with the signing token", () => {
    expect(provesSignature({ headers: signed(), rawBody: body }, signingToken, now)).toBe(true);
  });

  it("accepts any of several signatures, as they come while a key is exchanged", () => {
    const other = sign("b7f0", now / 1000, body, Buffer.alloc(32, 1));
    const right = sign("b7f0", now / 1000, body);
    for (const list of [`${other} ${right}`, `${right} ${other}`, `v1a,xyz v2,abc ${right}`]) {
      expect(provesSignature({ headers: signed({ "webhook-signature": list }), rawBody: body }, signingToken, now)).toBe(true);
    }
    expect(provesSignature({ headers: signed({ "webhook-signature": other }), rawBody: body }, signingToken, now)).toBe(false);
  });

  it.each([
    ["no id", { "webhook-id": undefined }],
    ["another id", { "webhook-id": "b7f1" }],
    ["no time", { "webhook-timestamp": undefined }],
    ["another time", { "webhook-timestamp": String(now / 1000 + 1) }],
    ["a time in words", { "webhook-timestamp": "now" }],
    ["no signature", { "webhook-signature": undefined }],
    ["another version's signature", { "webhook-signature": sign("b7f0", now / 1000, body).replace("v1,", "v2,") }],
    ["a cut signature", { "webhook-signature": sign("b7f0", now / 1000, body).slice(0, -4) }],
    ["a signature of nothing", { "webhook-signature": "v1," }],
  ])("refuses %s", (_name, overrides) => {
    expect(provesSignature({ headers: signed(overrides), rawBody: body }, signingToken, now)).toBe(false);
  });

  it("tolerates five minutes, both ways", () => {
    const at = (seconds: number) => provesSignature({ headers: signed({}, now / 1000 + seconds), rawBody: body }, signingToken, now);
    expect([-301, -300, 0, 300, 301].map(at)).toEqual([false, true, true, true, false]);
  });

  it.each(["", "whsec_", "whsec_c2hvcnQ=", key.toString("base64"), "whsec_not base64 at all, however long it may be"])(
    "says that %j is no signing token, without repeating it",
    (wrong) => {
      expect(() => provesSignature({ headers: signed(), rawBody: body }, wrong, now)).toThrow(
        expect.objectContaining({ code: "FR-CONFIG", message: expect.not.stringMatching(/c2hvcnQ|not base64/) }),
      );
    },
  );

  it("holds for any body and breaks with any change of it", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ maxLength: 60 }), fc.uint8Array({ minLength: 24, maxLength: 64 }), (bytes, id, raw) => {
        const headers = {
          "webhook-id": id,
          "webhook-timestamp": String(now / 1000),
          "webhook-signature": sign(id, now / 1000, bytes, Buffer.from(raw)),
        };
        const token = `whsec_${Buffer.from(raw).toString("base64")}`;
        expect(provesSignature({ headers, rawBody: bytes }, token, now)).toBe(true);
        expect(provesSignature({ headers, rawBody: Buffer.concat([bytes, Buffer.from(" ")]) }, token, now)).toBe(false);
      }),
    );
  });

  it("answers any headers with yes or no", () => {
    const header = fc.option(fc.oneof(fc.string(), fc.array(fc.string())), { nil: undefined });
    const names = ["x-gitlab-token", "webhook-id", "webhook-timestamp", "webhook-signature"];
    fc.assert(
      fc.property(fc.tuple(header, header, header, header), (values) => {
        const headers = Object.fromEntries(names.map((name, index) => [name, values[index]]));
        expect(provesSecret({ headers }, "s3cret")).toBe(false);
        expect(provesSignature({ headers, rawBody: body }, signingToken, now)).toBe(false);
      }),
    );
  });
});
