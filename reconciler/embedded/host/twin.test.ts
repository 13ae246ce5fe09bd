import type { JsonValue } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FireRunnerError } from "../../model/errors.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { until } from "../../model/until.fixture.js";
import { MemoryDriver } from "./memory-driver.js";
import { seededRandom } from "./seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "./start-embedded-host.js";
import { type WireAnswer, type WireClient, wireClient } from "./wire-client.fixture.js";

let clock: ManualClock;
let driver: MemoryDriver;
let host: EmbeddedHost;
let client: WireClient;
let faults: FireRunnerError[];

beforeEach(async () => {
  clock = new ManualClock();
  driver = new MemoryDriver();
  faults = [];
  const onFault = (error: FireRunnerError) => faults.push(error);
  host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver, clock, random: seededRandom(), onFault });
  client = wireClient(host.address);
});

afterEach(async () => {
  client.close();
  await host.stop();
});

const spec = (id: string): { [key: string]: JsonValue } => ({
  id,
  namespace: "ns",
  kernel: { image: "registry.test/k:1", filename: "boot/vmlinux" },
  root_volume: { id: "root", source: { container_source: "registry.test/r:1" } },
  interfaces: [{ device_id: "eth1", type: "TAP", guest_mac: "02:00:00:00:00:01" }],
});

const create = (id: string, change: { [key: string]: JsonValue } = {}) =>
  client.call("CreateMicroVM", { microvm: { ...spec(id), ...change } });
const list = () => client.call("ListMicroVMs", { namespace: "ns" });
const code = (answer: WireAnswer) => ("error" in answer ? answer.error.code : "ok");
const uidOf = (name: string) => host.microvms().find((vm) => vm.name === name)?.uid ?? "";
const remove = (name: string) => client.call("DeleteMicroVM", { uid: uidOf(name) });

/** The microVMs as `name state retry`, with a `+` for those that have power. */
const shown = () =>
  host
    .microvms()
    .map(({ name, state, retry, running }) => `${name} ${state} ${retry}${running ? " +" : ""}`)
    .toSorted();

/** Each behaviour of a real host that is not seen in one call: what is done, and what is shown then. */
const behaviours: readonly (readonly [string, () => Promise<unknown>, readonly string[]])[] = [
  [
    "a VM that lost its power is CREATED still",
    async () => {
      await create("a");
      await clock.advance(200);
      await host.powerOff(uidOf("a"));
      await clock.advance(500_000);
    },
    ["a created 0"],
  ],
  [
    "and has it again after a resync",
    async () => {
      await create("a");
      await clock.advance(200);
      await host.powerOff(uidOf("a"));
      await clock.advance(600_300);
    },
    ["a created 0 +"],
  ],
  [
    "a guest that crashes at once is CREATED, again and again",
    async () => {
      host.dial({ crashes: 2 });
      await create("a");
      await clock.advance(600_300);
    },
    ["a created 0"],
  ],
  ["a caller's own eth0 is CREATED and dead", () => buildWith({ interfaces: [{ device_id: "eth0", type: "TAP" }] }), ["a created 0"]],
  ["three vCPUs are CREATED and dead", () => buildWith({ vcpu: 3 }), ["a created 0"]],
  ["64 vCPUs are CREATED and dead", () => buildWith({ vcpu: 64 }), ["a created 0"]],
  ["one vCPU runs", () => buildWith({ vcpu: 1 }), ["a created 0 +"]],
  ["no kernel is never CREATED", () => buildWith({ kernel: {} }), ["a pending 1"]],
  ["no root image is never CREATED", () => buildWith({ root_volume: { id: "root" } }), ["a pending 1"]],
  [
    "an image that was not there holds up everybody, once",
    async () => {
      host.dial({ pullMs: 5_000 });
      await create("a");
      await create("b");
      await clock.advance(10_100);
      expect(shown()).toEqual(["a pending 0", "b pending 0"]);
      await clock.advance(300);
    },
    ["a created 0 +", "b created 0 +"],
  ],
  [
    "two Deletes of six are late, and are done at the next resync",
    async () => {
      for (const name of ["a", "b", "c", "d", "e", "f"]) await create(name);
      await clock.advance(1_200);
      host.dial({ lateDeletes: 2 });
      for (const name of ["a", "b", "c", "d", "e", "f"]) await remove(name);
      await clock.advance(1_000);
      expect(shown()).toEqual(["a deleting 0 +", "b deleting 0 +"]);
      await clock.advance(600_000);
    },
    [],
  ],
];

async function buildWith(change: { [key: string]: JsonValue }): Promise<void> {
  await create("a", change);
  await clock.advance(200);
}

describe("a host", () => {
  it.each(behaviours)("%s", async (_what, act, seen) => {
    await act();
    expect(shown()).toEqual(seen);
  });

  it("tells only whoever runs it why a VM is dead", async () => {
    await buildWith({ vcpu: 3 });
    expect(faults.map(({ message }) => message)).toEqual([expect.stringContaining("3 vCPUs: must be 1 or an even number")]);
  });
});

describe("a daemon that ends and begins again", () => {
  it("closes its port and cuts its connections; its VMs run on, and it knows them", async () => {
    await create("a");
    await clock.advance(200);
    await host.takeDown();
    expect(code(await list())).toBe(status.UNAVAILABLE);
    expect(driver.running.size).toBe(1);
    await host.bringUp();
    client.close();
    client = wireClient(host.address);
    expect(code(await list())).toBe("ok");
    expect(shown()).toEqual(["a created 0 +"]);
    expect(driver.asked).toHaveLength(1);
  });

  it("starts again at once what died meanwhile, and builds what it had not begun", async () => {
    await create("a");
    await clock.advance(200);
    await create("b");
    await host.takeDown();
    await host.powerOff(uidOf("a"));
    await clock.advance(10_000);
    expect(shown()).toEqual(["a created 0", "b pending 0"]);
    await host.bringUp();
    await clock.advance(400);
    expect(shown()).toEqual(["a created 0 +", "b created 0 +"]);
  });

  it("has lost the timers of its back-offs: the next try, and a removal, come with a resync after their time", async () => {
    host.dial({ failedBuilds: 2 });
    await create("a");
    await create("b");
    await clock.advance(400);
    expect(shown()).toEqual(["a pending 1", "b pending 1"]);
    await host.takeDown();
    await host.bringUp();
    client.close();
    client = wireClient(host.address);
    await remove("b");
    await clock.advance(599_000);
    expect(shown()).toEqual(["a pending 1", "b deleting 0"]);
    await clock.advance(1_500);
    expect(shown()).toEqual(["a created 0 +"]);
  });

  it("can be ended twice, and stopped while it is down", async () => {
    await create("a");
    await host.takeDown();
    await host.takeDown();
    await host.stop();
    expect(clock.waiting).toBe(0);
  });
});

describe("dials", () => {
  it("cut the connection itself once the call was carried out", async () => {
    host.dial({ lostAnswers: { calls: 1, how: "cut" } });
    const beside = client.call("ListMicroVMs", { namespace: "other" });
    const [cut] = await Promise.all([create("a"), beside]);
    expect(cut).toMatchObject({ error: { code: status.UNAVAILABLE, message: expect.stringMatching(/ECONNRESET|dropped/) } });
    expect(shown()).toEqual(["a pending 0"]);
    expect(code(await list())).toBe("ok");
  });

  it("hold calls without carrying them out", async () => {
    host.dial({ hang: true });
    const held = [create("a"), list()];
    // What comes on another connection meanwhile is held too.
    const another = wireClient(host.address);
    held.push(another.call("ListMicroVMs", { namespace: "ns" }));
    await clock.advance(60_000);
    await host.takeDown();
    expect((await Promise.all(held)).map(code)).toEqual([status.UNAVAILABLE, status.UNAVAILABLE, status.UNAVAILABLE]);
    expect(shown()).toEqual([]);
    another.close();
  });

  it("wedge every List, and nothing else", async () => {
    await create("a");
    host.dial({ wedged: true });
    expect(await list()).toMatchObject({ error: { code: status.UNKNOWN, message: expect.stringMatching(/unexpected vmid format: ns\//) } });
    expect(code(await client.call("GetMicroVM", { uid: uidOf("a") }))).toBe("ok");
  });

  it("set the host's clock: what it waits for by the time of day comes sooner or later, and no id comes twice", async () => {
    host.dial({ failedBuilds: 1 });
    await create("a");
    await clock.advance(200);
    await host.takeDown();
    host.dial({ clockOffsetMs: 3_600_000 });
    await host.bringUp();
    await clock.advance(300);
    expect(shown()).toEqual(["a created 0 +"]);
    client.close();
    client = wireClient(host.address);
    host.dial({ clockOffsetMs: -3_600_000 });
    await create("b");
    expect(uidOf("b") < uidOf("a")).toBe(true);
  });

  it("leave faults to chance, the same ones for the same seed", async () => {
    const seen = async (seed: number) => {
      const other = await startEmbeddedHost({ listen: "127.0.0.1:0", driver: new MemoryDriver(), clock, random: seededRandom(seed) });
      const wire = wireClient(other.address);
      other.dial({ chances: { unavailable: 0.3, failedLists: 0.2 } });
      const codes: unknown[] = [];
      for (let n = 0; n < 40; n += 1) codes.push(code(await wire.call("ListMicroVMs", { namespace: "ns" })));
      wire.close();
      await other.stop();
      return codes;
    };
    const [first, again, other] = [await seen(1), await seen(1), await seen(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    for (const outcome of ["ok", status.UNAVAILABLE, status.UNKNOWN]) expect(first).toContain(outcome);
  });

  it("let calls through that came before, while the host was slow", async () => {
    host.dial({ latencyMs: 1_000 });
    const before = clock.waiting;
    const slow = list();
    await until(() => clock.waiting > before, "the call");
    host.dial({ latencyMs: 0 });
    expect(code(await list())).toBe("ok");
    await clock.advance(1_000);
    expect(code(await slow)).toBe("ok");
  });
});
