import { describe, expect, it } from "vitest";
import { serviceSchema } from "./service.js";
import { parseOrRefuse } from "./validation.js";

const parse = (store: object, more: object = { key: "env:KEY" }) =>
  parseOrRefuse(serviceSchema, { owner: "acme", store: { kind: "redis", ...store }, ...more }, "the service file").store;

describe("a store in Redis", () => {
  it("is a server by its URL", () => {
    expect(parse({ url: "redis://redis.internal" })).toEqual({
      kind: "redis",
      url: { host: "redis.internal", port: 6379, database: 0, tls: false },
      minReplicas: 0,
    });
    const secured = { url: "rediss://[fd00::1]:6380/3", username: "fr", password: "env:REDIS", tls: { caFile: "ca.pem" }, minReplicas: 1 };
    expect(parse(secured)).toMatchObject({ url: { host: "fd00::1", port: 6380, database: 3, tls: true }, tls: { caFile: "ca.pem" } });
  });

  it("is the master that Sentinels know", () => {
    const sentinels = ["10.0.0.1:26379", "[fd00::2]:26379"];
    expect(parse({ sentinels, name: "fleet", sentinelPassword: "file:/run/s", prefix: "fr:acme" })).toMatchObject({
      sentinels: [
        { host: "10.0.0.1", port: 26_379 },
        { host: "fd00::2", port: 26_379 },
      ],
      name: "fleet",
      prefix: "fr:acme",
    });
  });

  it.each([
    ["neither", {}, /store\.url: is missing: must be given, or `sentinels` and `name`/],
    ["both", { url: "redis://r", sentinels: ["r:1"], name: "m" }, /store\.sentinels: .*must be left out where there is a `url`/],
    ["Sentinels without a name", { sentinels: ["r:1"] }, /store\.name: is missing: must be the name by which/],
    ["a name without Sentinels", { url: "redis://r", name: "m" }, /store\.name: "m" is refused: must be left out without/],
    ["no Sentinel", { sentinels: [], name: "m" }, /store\.sentinels: \[\] is refused: must name at least one/],
    ["a Sentinel without a port", { sentinels: ["r"], name: "m" }, /store\.sentinels\[0\]: "r" is refused: must be HOST:PORT/],
    ["another protocol", { url: "http://r" }, /store\.url: "http:\/\/r" is refused: must be redis:\/\/HOST:PORT/],
    [
      "a password as it is",
      { url: "redis://r", password: "s3cret" },
      /store\.password: the value is refused: must be env:NAME or file:PATH/,
    ],
    ["certificates without TLS", { url: "redis://r", tls: { caFile: "ca.pem" } }, /store\.tls: .*needs a url that begins with rediss:/],
    ["half a certificate", { url: "rediss://r", tls: { certFile: "c.pem" } }, /store\.tls: .*must have both certFile and keyFile/],
    ["a prefix with a space", { url: "redis://r", prefix: "a b" }, /store\.prefix: "a b" is refused/],
    ["fewer than no replicas", { url: "redis://r", minReplicas: -1 }, /store\.minReplicas: -1 is refused/],
    ["an unknown field", { url: "redis://r", cluster: true }, /store\.cluster: is not a known field/],
  ])("is refused with %s", (_name, store, message) => {
    expect(() => parse(store)).toThrow(message);
  });

  it("is refused without a key that all replicas have", () => {
    expect(() => parse({ url: "redis://r" }, {})).toThrow(/key: is missing: must be given with a store in Redis: all replicas/);
  });

  it("never shows a password that was put into the URL", () => {
    const refused = () => parse({ url: "redis://fr:s3cret@r:6379" });
    expect(refused).toThrow(/store\.url: "redis:\/\/\*\*\*@r:6379" is refused: .*the password goes into `password`/);
  });
});
