import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wishedDelayMs } from "./wish.js";

const now = 1_770_000_000_000;
const wish = (headers: Record<string, string>, status = 429) => wishedDelayMs({ status, headers }, now);

describe("how long GitLab asks to be left alone", () => {
  it.each<[Record<string, string>, number | undefined]>([
    [{}, undefined],
    [{ "retry-after": "30" }, 30_000],
    [{ "retry-after": " 0 " }, 0],
    [{ "retry-after": new Date(now + 7_000).toUTCString() }, 7_000],
    [{ "retry-after": new Date(now - 7_000).toUTCString() }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "-5" }, undefined],
    [{ "ratelimit-reset": String(now / 1000 + 42) }, 42_000],
    [{ "ratelimit-reset": String(now / 1000 - 42) }, 0],
    [{ "ratelimit-reset": "42" }, 42_000],
    [{ "ratelimit-reset": "1e3" }, undefined],
    [{ "retry-after": "1", "ratelimit-reset": "42" }, 1_000],
    [{ "retry-after": "soon", "ratelimit-reset": "42" }, 42_000],
  ])("%j", (headers, expected) => {
    expect(wish(headers)).toBe(expected);
  });

  it("is told by the limit's reset only when the limit was exceeded", () => {
    expect(wish({ "ratelimit-reset": "42" }, 503)).toBeUndefined();
    expect(wish({ "retry-after": "5" }, 503)).toBe(5_000);
  });

  it("is a time from now on, or unknown, for any headers", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (after, reset) => {
        const delay = wish({ "retry-after": after, "ratelimit-reset": reset });
        expect(delay === undefined || delay >= 0).toBe(true);
      }),
    );
  });
});
