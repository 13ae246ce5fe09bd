import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../host/seeded-random.js";
import { headersOf, uuid } from "./headers.js";

const delivery = {
  event: "Job Hook",
  body: '{"a":1}',
  idempotencyKey: "key-1",
  token: undefined,
  signingToken: undefined,
  customHeaders: [],
};
const headers = (change: Partial<Parameters<typeof headersOf>[0]> = {}) =>
  headersOf({ ...delivery, ...change }, "http://gitlab.test", "18.5.1", 1_800_000_000_500, seededRandom());

describe("a delivery's headers", () => {
  it("are GitLab's", () => {
    expect(headers({ token: "secret" })).toMatchObject({
      "Content-Type": "application/json",
      "User-Agent": "GitLab/18.5.1",
      "X-Gitlab-Event": "Job Hook",
      "X-Gitlab-Instance": "http://gitlab.test",
      "X-Gitlab-Token": "secret",
      "Idempotency-Key": "key-1",
    });
    expect(Object.keys(headers())).not.toContain("X-Gitlab-Token");
    expect(Object.keys(headers())).not.toContain("webhook-signature");
  });

  it("sign id, time and body when there is a signing token", () => {
    const key = Buffer.from("0123456789abcdef0123456789abcdef");
    const signed = headers({ signingToken: `whsec_${key.toString("base64")}` });
    const expected = createHmac("sha256", key).update('key-1.1800000000.{"a":1}').digest("base64");
    expect(signed).toMatchObject({ "webhook-id": "key-1", "webhook-timestamp": "1800000000", "webhook-signature": `v1,${expected}` });
  });

  it("name every request with a UUID of its own", () => {
    const random = seededRandom();
    const made = Array.from({ length: 50 }, () => uuid(random));
    expect(new Set(made).size).toBe(50);
    for (const one of made) expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
