import { describe, expect, it } from "vitest";
import { reconnectDelayMs } from "./reconnect-delay.js";
import { checkServer } from "./server-state.js";

const well = {
  redis_version: "7.0.15",
  run_id: "abc",
  role: "master",
  loading: "0",
  aof_enabled: "1",
  maxmemory: "0",
  maxmemory_policy: "allkeys-lru",
};
const info = (change: Partial<typeof well> = {}) =>
  `# Server\r\n${Object.entries({ ...well, ...change })
    .map(([name, value]) => `${name}:${value}`)
    .join("\r\n")}\r\n`;

describe("a Redis server", () => {
  it("on which commits survive is known by its run", () => {
    expect(checkServer(info(), "r:1")).toBe("abc");
    expect(checkServer(info({ maxmemory: "1", maxmemory_policy: "noeviction", redis_version: "10.0.0" }), "r:1")).toBe("abc");
  });

  it.each([
    ["too old", { redis_version: "6.2.14" }, /Redis r:1 is of version 6\.2\.14: version 7 or newer is needed/, false],
    ["a replica", { role: "slave" }, /is not the master/, true],
    ["still loading", { loading: "1" }, /still reads its data/, true],
    ["without an append-only file", { aof_enabled: "0" }, /keeps no append-only file: set `appendonly yes`/, false],
    ["forgetful", { maxmemory: "1" }, /maxmemory-policy allkeys-lru/, false],
  ])("that is %s is refused", (_name, change, message, retryable) => {
    expect(() => checkServer(info(change), "r:1")).toThrow(expect.objectContaining({ code: "FR-STORE", retryable }));
    expect(() => checkServer(info(change), "r:1")).toThrow(message);
  });
});

it("tries to connect come later and later, up to a bound, and spread", () => {
  expect([0, 1, 2, 5, 6, 1_000].map((failures) => reconnectDelayMs(failures, 1))).toEqual([50, 100, 200, 250, 250, 250]);
  expect(reconnectDelayMs(3, 0)).toBe(125);
});
