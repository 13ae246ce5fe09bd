import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { formatIpv4, holds, overlap, parseIpv4, parseRange, parseSubnet } from "./ipv4.js";

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const subnet = fc.tuple(address, fc.integer({ min: 1, max: 30 })).map(([value, prefix]) => {
  const count = 2 ** (32 - prefix);
  return `${formatIpv4(Math.floor(value / count) * count)}/${prefix}`;
});

test("an address reads back as it was written", () => {
  fc.assert(fc.property(address, (value) => parseIpv4(formatIpv4(value)) === value));
});

describe("an address is refused", () => {
  it.each(["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.x", " 1.2.3.4"])("%j", (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });
});

describe("a network is refused", () => {
  it.each(["10.0.0.0", "10.0.0.1/24", "10.0.0.0/31", "10.0.0.0/x", "10.0.0.0/24/1"])("%j", (text) => {
    expect(parseSubnet(text)).toBeUndefined();
  });
});

test("two networks overlap exactly when one holds the other's first address", () => {
  fc.assert(
    fc.property(subnet, subnet, (left, right) => {
      const [a, b] = [parseSubnet(left), parseSubnet(right)];
      if (a === undefined || b === undefined) return false;
      const inside = (network: typeof a, value: number) => value >= network.first && value < network.first + network.count;
      return overlap(a, b) === (inside(a, b.first) || inside(b, a.first)) && overlap(a, b) === overlap(b, a);
    }),
  );
});

test("a network holds its machines' addresses, but not its own and its broadcast address", () => {
  const network = parseSubnet("10.20.0.0/30");
  const held = [0, 1, 2, 3, 4].filter((n) => network !== undefined && holds(network, network.first + n));
  expect(held).toEqual([1, 2]);
});

describe("a range", () => {
  it.each([
    ["10.0.0.5", ["10.0.0.5", "10.0.0.5"]],
    ["10.0.0.5-10.0.0.9", ["10.0.0.5", "10.0.0.9"]],
    ["10.0.0.8/30", ["10.0.0.8", "10.0.0.11"]],
  ])("is read from %s", (text, [first, last]) => {
    expect(parseRange(text)).toEqual({ first: parseIpv4(first ?? ""), last: parseIpv4(last ?? "") });
  });

  it.each(["", "10.0.0", "10.0.0.9-10.0.0.5", "10.0.0.5-", "10.0.0.1-10.0.0.2-10.0.0.3", "10.0.0.1/30", "10.0.0.0/31"])(
    "is not read from %j",
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );
});
