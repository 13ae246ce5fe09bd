import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostInput } from "../model/host.js";
import { imagesRan } from "../model/host-images.js";
import { bootsOf, referencesOf } from "../model/image.js";
import { macOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import { applyPlan } from "./apply-plan.fixture.js";
import { Draft } from "./draft.js";
import { Placement } from "./place.js";
import { plan } from "./plan.js";
import { aHost, aHostView, aJob, anImage, aPool, aReport, aSnapshot, aVm, now } from "./snapshot.fixture.js";

const image = anImage();
const boots = bootsOf(image);
const roomy = { vcpu: 256, memoryMb: 262_144, microvms: 256 };
const size = { vcpu: 1, memoryMb: 1024 };
const hostNamed = (name: string, rest: Partial<HostInput> = {}) => aHost({ name, capacity: roomy, ...rest });
const ranOn = (name: string) => imagesRan(undefined, aHost({ name }), referencesOf(boots), now - 1_000);
const unclaimed = (vm: Partial<Microvm>): Microvm => {
  const { claimedAt: _claimedAt, ...rest } = aVm({ phase: "booting", boots, ...vm });
  return rest;
};

interface Setting {
  readonly hosts: readonly string[];
  readonly warm?: readonly string[];
  readonly microvms?: readonly Microvm[];
  readonly capacity?: HostInput["capacity"];
}

function placementOf({ hosts, warm = [], microvms = [], capacity = roomy }: Setting): Placement {
  const views = hosts.map((name) => aHostView(hostNamed(name, { capacity })));
  return new Placement(new Draft(aSnapshot({ hosts: views, hostImages: warm.map(ranOn), microvms })));
}

function take(placement: Placement, count: number, strategy: "spread" | "binpack" = "spread") {
  return Array.from({ length: count }, () => {
    const place = placement.take(aPool({ placement: { strategy } }), size);
    return "code" in place ? place.code : `${place.host}${place.firstUse === true ? "*" : ""}`;
  });
}

describe("where an image is used first", () => {
  it("is a host that has it, before one that is freer", () => {
    expect(take(placementOf({ hosts: ["a", "b", "c"], warm: ["c"] }), 3)).toEqual(["c", "c", "c"]);
  });

  it("is no host that has the root file system with another kernel, or was another machine then", () => {
    const half = imagesRan(undefined, aHost({ name: "b" }), [image.rootfs.image], now);
    const views = ["a", "b"].map((name) => aHostView(hostNamed(name)));
    const given = new Placement(new Draft(aSnapshot({ hosts: views, hostImages: [half] })));
    expect(take(given, 1)).toEqual(["a*"]);
  });

  it("is two hosts at once, and a third when those have sixteen more to create", () => {
    const places = take(placementOf({ hosts: ["a", "b", "c", "d"] }), 34);
    expect(new Set(places.slice(0, 32))).toEqual(new Set(["a*", "b*"]));
    expect(places.slice(32)).toEqual(["c*", "c*"]);
  });

  it("is another host at once when those that pull have no room", () => {
    const capacity = { vcpu: 2, memoryMb: 4096, microvms: 4 };
    expect(take(placementOf({ hosts: ["a", "b", "c"], capacity }), 7)).toEqual(["a*", "b*", "a*", "b*", "c*", "c*", "FR-NO-CAPACITY"]);
  });

  it("counts those that pull already, and no longer when they claimed or were given up", () => {
    const hosts = ["a", "b", "c"];
    const pulling = (rest: Partial<Microvm>) =>
      ["a", "b"].map((host, n) => unclaimed({ name: `vm-${n}`, host, firstUse: true, mac: macOf(host, n + 2), ...rest }));
    expect(take(placementOf({ hosts, microvms: pulling({}) }), 2)).toEqual(["a*", "b*"]);
    expect(take(placementOf({ hosts, microvms: pulling({ phase: "draining" }) }), 1)).toEqual(["c*"]);
    expect(take(placementOf({ hosts, microvms: pulling({}), warm: ["a", "b"] }), 1)).toEqual(["a"]);
  });

  it("goes on to cold hosts when the pool spreads and less than half of the warm ones is free", () => {
    const capacity = { vcpu: 4, memoryMb: 8192, microvms: 8 };
    expect(take(placementOf({ hosts: ["a", "b"], warm: ["a"], capacity }), 5)).toEqual(["a", "a", "a", "b*", "b*"]);
    expect(take(placementOf({ hosts: ["a", "b"], warm: ["a"], capacity }), 5, "binpack")).toEqual(["a", "a", "a", "a", "b*"]);
  });
});

describe("wherever it is known to be", () => {
  const names = ["a", "b", "c", "d", "e"];
  const settings = fc.record({
    warm: fc.subarray(names),
    queued: fc.tuple(...names.map(() => fc.integer({ min: 0, max: 40 }))),
    places: fc.tuple(...names.map(() => fc.integer({ min: 1, max: 60 }))),
    strategy: fc.constantFrom("spread" as const, "binpack" as const),
    count: fc.integer({ min: 1, max: 60 }),
  });
  const stand = (queued: readonly number[]) =>
    names.flatMap((host, at) =>
      Array.from({ length: queued[at] ?? 0 }, (_, n) =>
        unclaimed({ name: `vm-${host}-${n}`, host, phase: "creating", address: `10.20.0.${n + 2}/24`, mac: macOf(host, n + 2) }),
      ),
    );

  it("no microVM is held back while any host has room", () => {
    fc.assert(
      fc.property(settings, ({ warm, queued, places, strategy, count }) => {
        const hosts = names.map((name, at) => aHostView(hostNamed(name, { capacity: { ...roomy, microvms: places[at] ?? 1 } })));
        const given = new Placement(new Draft(aSnapshot({ hosts, hostImages: warm.map(ranOn), microvms: stand(queued) })));
        const room = names.reduce((sum, _, at) => sum + Math.max(0, (places[at] ?? 1) - (queued[at] ?? 0)), 0);
        const taken = take(given, count, strategy);
        expect(taken.filter((place) => place !== "FR-NO-CAPACITY")).toHaveLength(Math.min(room, count));
      }),
      { numRuns: 100 },
    );
  });

  it("a third host begins to pull only when all that are warm or pull are full or have sixteen more to create", () => {
    fc.assert(
      fc.property(settings, ({ warm, queued, places, strategy, count }) => {
        const hosts = names.map((name, at) => aHostView(hostNamed(name, { capacity: { ...roomy, microvms: places[at] ?? 1 } })));
        const given = new Placement(new Draft(aSnapshot({ hosts, hostImages: warm.map(ranOn), microvms: stand(queued) })));
        const queue = new Map(names.map((name, at) => [name, queued[at] ?? 0]));
        const pulling = new Set<string>();
        for (const place of take(given, count, strategy)) {
          const host = place.replace("*", "");
          if (place === "FR-NO-CAPACITY") break;
          expect(place.endsWith("*")).toBe(!warm.includes(host));
          if (!warm.includes(host) && !pulling.has(host) && pulling.size >= 2) {
            for (const other of [...warm, ...pulling]) {
              const isFull = (queue.get(other) ?? 0) >= (places[names.indexOf(other)] ?? 1);
              // In steps of four: up to three of them may be missing.
              if (!isFull) expect((queue.get(other) ?? 0) - (queue.get(host) ?? 0)).toBeGreaterThan(16 - 4);
            }
          }
          if (!warm.includes(host)) pulling.add(host);
          queue.set(host, (queue.get(host) ?? 0) + 1);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("what a host has run", () => {
  const booting = unclaimed({ name: "vm-one", host: "host-a", firstUse: true });
  const claimed = (microvms: readonly Microvm[] = [booting]) => ({
    microvms,
    guestReports: new Map(microvms.map((vm) => [vm.name, aReport({ vm: vm.name })])),
  });

  it("is learned from the claim of a guest, and told with it", () => {
    const snapshot = aSnapshot(claimed());
    const decided = plan(snapshot);
    expect(applyPlan(snapshot, decided).hostImages).toEqual([
      { host: "host-a", endpoint: aHost().endpoint, images: referencesOf(boots).map((reference) => ({ reference, ranAt: now })) },
    ]);
    expect(decided.events.find(({ type }) => type === "MicrovmClaimed")?.message).toContain("the first use of its image on the host");
  });

  it("is not written down again with every claim", () => {
    const snapshot = aSnapshot({ ...claimed(), hostImages: [ranOn("host-a")] });
    expect(plan(snapshot).decisions.filter(({ kind }) => kind === "hostImages")).toEqual([]);
  });

  it.each([
    ["is no longer declared", { hosts: [aHostView(aHost({ name: "host-b" }))] }],
    ["was given up", { hosts: [aHostView(aHost(), [], { standing: "forgotten" })] }],
    ["is declared at another endpoint", { hosts: [aHostView(aHost({ endpoint: "127.0.0.1:9999" }))] }],
  ])("is forgotten when the host %s", (_what, rest) => {
    const snapshot = aSnapshot({ hostImages: [ranOn("host-a")], ...rest });
    expect(applyPlan(snapshot, plan(snapshot)).hostImages).toEqual([]);
  });

  it("decides on the next microVM, which tells that it is no first use", () => {
    const hosts = ["host-a", "host-b"].map((name) => aHostView(aHost({ name })));
    const made = (warm: readonly string[]) => {
      const snapshot = aSnapshot({ hosts, hostImages: warm.map(ranOn), jobs: [aJob()] });
      return applyPlan(snapshot, plan(snapshot)).microvms.map(({ host, firstUse }) => [host, firstUse]);
    };
    expect(made([])).toEqual([["host-a", true]]);
    expect(made(["host-b"])).toEqual([["host-b", undefined]]);
  });
});
