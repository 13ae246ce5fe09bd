import { describe, expect, it } from "vitest";
import type { Condition } from "../model/condition.js";
import type { HostInput } from "../model/host.js";
import { macOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { PoolInput } from "../model/pool.js";
import { Draft } from "./draft.js";
import { Placement } from "./place.js";
import { aHost, aHostView, aPool, aSnapshot, aVm, now, shownVm } from "./snapshot.fixture.js";

const size = { vcpu: 2, memoryMb: 2048 };
const host = (name: string, rest: Partial<HostInput> = {}) => aHostView(aHost({ name, ...rest }));
const placement = (hosts: readonly ReturnType<typeof host>[], microvms: readonly Microvm[] = []) =>
  new Placement(new Draft(aSnapshot({ hosts, microvms })));
const take = (given: Placement, count: number, pool: Partial<PoolInput> = {}) =>
  Array.from({ length: count }, () => given.take(aPool(pool), size));
const hostsOf = (places: ReturnType<typeof take>) => places.map((place) => ("code" in place ? place.code : place.host));
const addressesOf = (places: ReturnType<typeof take>) => places.map((place) => ("code" in place ? place.code : place.address));
const small = { capacity: { vcpu: 4, memoryMb: 4096, microvms: 4 } };

describe("where a microVM is placed", () => {
  it("is the freest host when the pool spreads", () => {
    expect(hostsOf(take(placement([host("a"), host("b")]), 4))).toEqual(["a", "b", "a", "b"]);
  });

  it("is the fullest host with room when the pool packs", () => {
    const places = take(placement([host("a", small), host("b", small)]), 5, { placement: { strategy: "binpack" } });
    expect(hostsOf(places)).toEqual(["a", "a", "b", "b", "FR-NO-CAPACITY"]);
  });

  it("is a host with the pool's labels", () => {
    const given = placement([host("a"), host("b", { labels: { disk: "nvme" } })]);
    expect(hostsOf(take(given, 2, { placement: { selector: { disk: "nvme" } } }))).toEqual(["b", "b"]);
  });

  it.each([
    ["vCPUs", { vcpu: 3, memoryMb: 99_999, microvms: 99 }],
    ["memory", { vcpu: 99, memoryMb: 3_000, microvms: 99 }],
    ["places", { vcpu: 99, memoryMb: 99_999, microvms: 1 }],
  ])("is nowhere when the %s are used up", (_what, capacity) => {
    expect(hostsOf(take(placement([host("a", { capacity })]), 2))).toEqual(["a", "FR-NO-CAPACITY"]);
  });

  it("counts the vCPUs of a host as often as it is overcommitted, and nothing else", () => {
    const capacity = { vcpu: 4, memoryMb: 10_240, microvms: 16, vcpuOvercommit: 2 };
    expect(hostsOf(take(placement([host("a", { capacity })]), 5))).toEqual(["a", "a", "a", "a", "FR-NO-CAPACITY"]);
    const twice = { vcpu: 4, memoryMb: 4096, microvms: 16, vcpuOvercommit: 2 };
    expect(hostsOf(take(placement([host("a", { capacity: twice })]), 3))).toEqual(["a", "a", "FR-NO-CAPACITY"]);
  });

  it("is a host with less to create before one that the strategy prefers", () => {
    const capacity = { vcpu: 64, memoryMb: 65_536, microvms: 64 };
    const places = take(placement([host("a", { capacity }), host("b", { capacity })]), 9, { placement: { strategy: "binpack" } });
    expect(hostsOf(places)).toEqual(["a", "a", "a", "a", "b", "b", "b", "b", "a"]);
    const booted = [1, 2, 3, 4].map((n) => aVm({ name: `vm-${n}`, host: "a", phase: "booting", mac: `02:00:00:00:00:1${n}` }));
    const packed = placement([host("a", { capacity }), host("b", { capacity })], booted);
    expect(hostsOf(take(packed, 1, { placement: { strategy: "binpack" } }))).toEqual(["a"]);
  });

  it("counts what leaves until it is gone", () => {
    const leaving = aVm({ host: "a", phase: "deleting", size: { vcpu: 4, memoryMb: 4096 }, deleteAcceptedAt: now - 10 });
    expect(hostsOf(take(placement([host("a", small)], [leaving]), 1))).toEqual(["FR-NO-CAPACITY"]);
  });

  it("is no host on which something stands whose addresses are unknown", () => {
    expect(hostsOf(take(placement([host("a"), host("b")], [aVm({ host: "a", mac: "" })]), 2))).toEqual(["b", "b"]);
  });
});

describe("addresses", () => {
  const tiny = { network: { mode: "static" as const, subnet: "10.0.0.0/29", gateway: "10.0.0.1" } };

  it("leave out the network's own, the gateway and the broadcast address", () => {
    expect(addressesOf(take(placement([host("a", tiny)]), 6))).toEqual([
      "10.0.0.2/29",
      "10.0.0.3/29",
      "10.0.0.4/29",
      "10.0.0.5/29",
      "10.0.0.6/29",
      "FR-NO-ADDRESS",
    ]);
  });

  it("go on behind the one that was given last, so that a released one rests", () => {
    const given = placement([host("a", tiny)], [aVm({ host: "a", address: "10.0.0.4/29", mac: "02:00:00:00:00:04" })]);
    expect(addressesOf(take(given, 3))).toEqual(["10.0.0.5/29", "10.0.0.6/29", "10.0.0.2/29"]);
  });

  it("leave out what the host excludes", () => {
    const network = { ...tiny.network, exclude: ["10.0.0.2-10.0.0.3", "10.0.0.6"] };
    expect(addressesOf(take(placement([host("a", { network })]), 3))).toEqual(["10.0.0.4/29", "10.0.0.5/29", "FR-NO-ADDRESS"]);
  });

  it("leave out what somebody else's microVM on the host has, by address or MAC", () => {
    const foreign = [
      shownVm({ name: "one", mark: undefined, address: "10.0.0.2/29" }),
      shownVm({ name: "two", mark: undefined, mac: macOf("a", 3) }),
    ];
    expect(addressesOf(take(placement([aHostView(aHost({ name: "a", ...tiny }), foreign)]), 1))).toEqual(["10.0.0.4/29"]);
  });

  it("that rest are given last, the longest rested first", () => {
    const rest = (ip: string, until: number): Condition => ({
      ...{ subject: { kind: "address", name: `a/${ip}` }, type: "Resting", status: true, reason: "Released", message: "" },
      ...{ observedAt: now, count: 0, until },
    });
    const conditions = [rest("10.0.0.2", now + 9_000), rest("10.0.0.3", now + 5_000), rest("10.0.0.4", now)];
    const given = new Placement(new Draft(aSnapshot({ hosts: [host("a", tiny)], conditions })));
    expect(addressesOf(take(given, 5))).toEqual(["10.0.0.4/29", "10.0.0.5/29", "10.0.0.6/29", "10.0.0.3/29", "10.0.0.2/29"]);
  });

  it("are not given on a network that has its own way to give them, but MACs differ", () => {
    const places = take(placement([host("a", { network: { mode: "dhcp" } })]), 3);
    expect(addressesOf(places)).toEqual([undefined, undefined, undefined]);
    expect(new Set(places.map((place) => ("mac" in place ? place.mac : ""))).size).toBe(3);
  });

  it("go to the next host when one has none left", () => {
    const crowded = host("a", { network: { mode: "static", subnet: "10.0.0.0/30", gateway: "10.0.0.1" } });
    expect(hostsOf(take(placement([crowded, host("b", small)]), 3))).toEqual(["a", "b", "b"]);
  });
});
