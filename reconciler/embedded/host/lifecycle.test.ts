import type { JsonValue } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FireRunnerError } from "../../model/errors.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { until } from "../../model/until.fixture.js";
import { MemoryDriver } from "./memory-driver.js";
import { seededRandom } from "./seeded-random.js";
import { type EmbeddedHost, type EmbeddedHostOptions, startEmbeddedHost } from "./start-embedded-host.js";
import { type WireAnswer, type WireClient, wireClient } from "./wire-client.fixture.js";

let clock: ManualClock;
let driver: MemoryDriver;
let host: EmbeddedHost;
let client: WireClient;

beforeEach(() => startHost({}));

afterEach(stopHost);

async function startHost(options: Partial<EmbeddedHostOptions>): Promise<void> {
  clock = new ManualClock();
  driver = new MemoryDriver();
  host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver, clock, random: seededRandom(), ...options });
  client = wireClient(host.address);
}

async function stopHost(): Promise<void> {
  client.close();
  await host.stop();
}

interface Shown {
  readonly version: number;
  readonly spec: { readonly id: string; readonly uid: string };
  readonly status: { readonly state?: string; readonly retry?: number };
}

function spec(id: string, namespace = "ns"): { [key: string]: JsonValue } {
  return {
    id,
    namespace,
    kernel: { image: "localhost:5000/k:1", filename: "boot/vmlinux" },
    root_volume: { id: "root", source: { container_source: "localhost:5000/r:1" } },
    interfaces: [{ device_id: "eth1", type: "TAP", guest_mac: "02:00:00:00:00:01" }],
  };
}

function ok<T>(answer: WireAnswer): T {
  if ("error" in answer) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  return answer.ok as T;
}

async function create(id: string, namespace?: string): Promise<string> {
  return ok<{ microvm: Shown }>(await client.call("CreateMicroVM", { microvm: spec(id, namespace) })).microvm.spec.uid;
}

const get = (uid: string) => client.call("GetMicroVM", { uid });
const remove = (uid: string) => client.call("DeleteMicroVM", { uid });

/** State, retry and version of a microVM in one line; `gone` when it is not found. */
async function look(uid: string): Promise<string> {
  const answer = await get(uid);
  if ("error" in answer) {
    expect(answer.error.message).toBe(
      `getting microvm: error attempting to locate microvm with uid: ${uid}: microvm spec //${uid} not found`,
    );
    return "gone";
  }
  const { version, status: shown } = ok<{ microvm: Shown }>(answer).microvm;
  return `${shown.state ?? "PENDING"} retry ${shown.retry ?? 0} v${version}`;
}

async function list(request: JsonValue, method = "ListMicroVMs"): Promise<string[]> {
  const answer = ok<{ microvm?: Shown[] } | { microvm: Shown }[]>(await client.call(method, request));
  const shown = Array.isArray(answer) ? answer.map(({ microvm }) => microvm) : (answer.microvm ?? []);
  return shown.map((microvm) => microvm.spec.id);
}

describe("building", () => {
  it("is done after the answer, by one worker, one microVM after the other", async () => {
    const uids = await Promise.all(["a", "b", "c"].map((id) => create(id)));
    const states = () => Promise.all(uids.map(look));
    expect(await states()).toEqual(Array(3).fill("PENDING retry 0 v1"));
    await clock.advance(200);
    expect((await states()).filter((line) => line === "CREATED retry 0 v2")).toHaveLength(1);
    await clock.advance(200);
    expect((await states()).filter((line) => line === "CREATED retry 0 v2")).toHaveLength(2);
    await clock.advance(200);
    expect(await states()).toEqual(Array(3).fill("CREATED retry 0 v2"));
    expect(driver.running.size).toBe(3);
    expect(host.microvms().every((vm) => vm.running && vm.state === "created")).toBe(true);
  });

  it("that fails is tried again later each time, and given up after some 22 minutes", async () => {
    driver.fault = "no such image";
    const uid = await create("a");
    await clock.advance(200);
    expect(await look(uid)).toBe("PENDING retry 1 v2");
    await clock.advance(19_900);
    expect(await look(uid)).toBe("PENDING retry 1 v2");
    await clock.advance(300);
    expect(await look(uid)).toBe("PENDING retry 2 v3");
    await clock.advance(22 * 60_000);
    expect(await look(uid)).toBe("FAILED retry 11 v13");
    driver.fault = undefined;
    await clock.advance(60 * 60_000);
    expect(await look(uid)).toBe("FAILED retry 11 v13");
    expect(host.microvms()).toMatchObject([{ state: "failed", running: false }]);
    await remove(uid);
    await clock.advance(100);
    expect(await look(uid)).toBe("gone");
  });

  it("that fails once for a fault that was dialled in succeeds at the next try and forgets its retries", async () => {
    host.dial({ failedBuilds: 1 });
    const uid = await create("a");
    await clock.advance(200);
    expect(ok<{ microvm: Shown }>(await get(uid)).microvm.status).toEqual({
      retry: 1,
      volumes: { root: { mount: {} } },
      networkInterfaces: { eth0: {}, eth1: {} },
    });
    await clock.advance(20_200);
    expect(await look(uid)).toBe("CREATED retry 0 v3");
  });

  it("says CREATED of a VM that died, and starts it again at the next resync, without a word", async () => {
    const uid = await create("a");
    await clock.advance(200);
    driver.running.delete(uid);
    await clock.advance(599_000);
    expect(await look(uid)).toBe("CREATED retry 0 v2");
    expect(host.microvms()).toMatchObject([{ state: "created", running: false }]);
    await clock.advance(1_300);
    expect(driver.asked.map((vm) => vm.uid)).toEqual([uid, uid]);
    expect(await look(uid)).toBe("CREATED retry 0 v3");
  });

  it("tells whoever runs the host, and nobody else, why it failed", async () => {
    await stopHost();
    const told: FireRunnerError[] = [];
    await startHost({ onFault: (error) => told.push(error) });
    driver.fault = "no such image";
    const uid = await create("a");
    await clock.advance(200);
    expect(told).toMatchObject([{ code: "FR-VM-CREATE-FAILED", message: `building microVM "a" (${uid}) failed: no such image` }]);
    expect(JSON.stringify(await get(uid))).not.toContain("no such image");
  });

  it("takes two microVMs of one name for two", async () => {
    const [first, second] = [await create("a"), await create("a")];
    expect(first).not.toBe(second);
    expect(await list({ namespace: "ns", name: "a" })).toEqual(["a", "a"]);
  });
});

describe("removing", () => {
  it("takes its time, may be asked for again, and ends in not found", async () => {
    const uid = await create("a");
    await clock.advance(200);
    expect(await remove(uid)).toEqual({ ok: {} });
    expect(await look(uid)).toBe("DELETING retry 0 v3");
    expect(await remove(uid)).toEqual({ ok: {} });
    await clock.advance(100);
    expect(await look(uid)).toBe("gone");
    expect(driver.running.size).toBe(0);
    expect(await remove(uid)).toEqual({
      error: { code: status.UNKNOWN, message: `deleting microvm: checking to see if spec exists: microvm spec //${uid} not found` },
    });
  });

  it("before the build has begun does without building", async () => {
    const [, uid] = [await create("a"), await create("b")];
    await remove(uid);
    await clock.advance(300);
    expect(await look(uid)).toBe("gone");
    expect(driver.asked).toHaveLength(1);
  });

  it("during a back-off waits for the next try's time", async () => {
    driver.fault = "no such bridge";
    const uid = await create("a");
    await clock.advance(200);
    driver.fault = undefined;
    await remove(uid);
    expect(await look(uid)).toBe("DELETING retry 0 v3");
    await clock.advance(19_900);
    expect(await look(uid)).toBe("DELETING retry 0 v3");
    await clock.advance(200);
    expect(await look(uid)).toBe("gone");
    expect(driver.asked).toHaveLength(0);
  });

  it.each([
    [false, "gone"],
    [true, "CREATED retry 0 v3"],
  ])("during a build, with the loss of it dialled in: %s", async (loseDeletesWhileBuilding, outcome) => {
    host.dial({ loseDeletesWhileBuilding });
    const uid = await create("a");
    await clock.advance(100);
    expect(await remove(uid)).toEqual({ ok: {} });
    expect(await look(uid)).toBe("DELETING retry 0 v2");
    await clock.advance(200);
    expect(await look(uid)).toBe(outcome);
    host.dial({ loseDeletesWhileBuilding: false });
    await remove(uid);
    await clock.advance(200);
    expect(await look(uid)).toBe("gone");
  });

  it("can be dialled to wait for the next resync", async () => {
    const uid = await create("a");
    await clock.advance(200);
    host.dial({ lateDeletes: 1 });
    await remove(uid);
    await clock.advance(590_000);
    expect(await look(uid)).toBe("DELETING retry 0 v3");
    await clock.advance(10_000);
    expect(await look(uid)).toBe("gone");
  });

  it("that fails is tried again for ever", async () => {
    const uid = await create("a");
    await clock.advance(200);
    driver.fault = "a process does not end";
    await remove(uid);
    await clock.advance(30 * 60_000);
    expect(await look(uid)).toMatch(/^DELETING retry 1\d /);
    driver.fault = undefined;
    await clock.advance(10 * 60_000);
    expect(await look(uid)).toBe("gone");
  });
});

describe("lists", () => {
  beforeEach(async () => {
    for (const id of ["a", "b", "c", "d", "e"]) await create(id);
    await create("a", "other");
  });

  it("hold one namespace, all of them, or one name", async () => {
    expect((await list({ namespace: "ns" })).toSorted()).toEqual(["a", "b", "c", "d", "e"]);
    expect(await list({})).toHaveLength(6);
    expect(await list({ name: "a" })).toEqual(["a", "a"]);
    expect(await list({ namespace: "ns", name: "" })).toHaveLength(5);
    expect(await list({ namespace: "ns", name: "x" })).toEqual([]);
  });

  it("are in no order", async () => {
    const orders = new Set<string>();
    for (let round = 0; round < 10; round += 1) orders.add((await list({ namespace: "ns" })).join());
    expect(orders.size).toBeGreaterThan(1);
  });

  it("come as a stream, once, with every name", async () => {
    expect((await list({ namespace: "ns", name: "a" }, "ListMicroVMsStream")).toSorted()).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("fail as a whole, like every call for it, once an id holds a slash", async () => {
    const uid = await create("x/y", "wedged");
    const refused = { error: { code: status.UNKNOWN, message: expect.stringMatching(`unexpected vmid format: wedged/x/y/${uid}$`) } };
    expect(await client.call("ListMicroVMs", { namespace: "wedged" })).toEqual(refused);
    expect(await client.call("ListMicroVMs", {})).toEqual(refused);
    expect(await get(uid)).toEqual(refused);
    expect(await remove(uid)).toEqual(refused);
    expect(await list({ namespace: "ns" })).toHaveLength(5);
  });

  it("can be dialled to fail as they do during removals", async () => {
    host.dial({ failedLists: 1 });
    expect(await client.call("ListMicroVMs", { namespace: "ns" })).toMatchObject({
      error: { code: status.UNKNOWN, message: expect.stringMatching(/^getting all microvms: .*failed reading from content store$/) },
    });
    expect(await list({ namespace: "ns" })).toHaveLength(5);
  });
});

describe("what is not recorded but known", () => {
  const create1 = (change: { [key: string]: JsonValue }) => client.call("CreateMicroVM", { microvm: { ...spec("a"), ...change } });
  const message = (answer: WireAnswer) => ("error" in answer ? answer.error.message : "accepted");

  it.each<[string, { [key: string]: JsonValue }, string]>([
    ["an id with a blank", { id: "a b" }, "invalid filter"],
    ["too many CPUs", { vcpu: 65 }, "'VCPU' failed on the 'lte' tag"],
    ["too much memory", { memory_in_mb: 32_769 }, "'MemoryInMb' failed on the 'lte' tag"],
    ["a kernel without image", { kernel: { filename: "vmlinux" } }, "'Image' failed on the 'required' tag"],
    ["an initrd that is no reference", { initrd: { image: "a b" } }, "'Image' failed on the 'imageURI' tag"],
    ["a provider that does not exist", { provider: "qemu" }, "microvm provider qemu isn't available"],
    [
      "a nameserver by name",
      { interfaces: [{ device_id: "eth1", type: "TAP", address: { address: "10.0.0.2/24", nameservers: ["dns"] } }] },
      "'Nameservers[0]' failed on the 'ip' tag",
    ],
    ["meta-data that is no map", { metadata: { "meta-data": Buffer.from("- a\n").toString("base64") } }, "adding instance data"],
    ["two things at once", { vcpu: -1, memory_in_mb: 1 }, "'gte' tag\nKey: 'MicroVM.Spec.MemoryInMb'"],
  ])("%s is refused", async (_what, change, text) => {
    const answer = message(await create1(change));
    expect(answer).toMatch(/^creating microvm: /);
    expect(answer).toContain(text);
    expect(host.microvms()).toEqual([]);
  });

  it("a kernel of which nothing is set passes, and an override without a bridge ends the call", async () => {
    expect(message(await create1({ kernel: {} }))).toBe("accepted");
    const answer = await create1({ interfaces: [{ device_id: "eth1", type: "TAP", overrides: {} }] });
    expect(answer).toMatchObject({ error: { code: status.UNAVAILABLE } });
  });
});

describe("a token", () => {
  beforeEach(async () => {
    await stopHost();
    await startHost({ token: "t0ken" });
  });

  const basic = (token: string) => ({ authorization: `Basic ${Buffer.from(token).toString("base64")}` });

  it.each(["ListMicroVMs", "ListMicroVMsStream"])("is asked for by %s", async (method) => {
    const call = (headers?: Record<string, string>) => client.call(method, { namespace: "ns" }, headers);
    const refused = (text: RegExp) => ({ error: { code: status.UNAUTHENTICATED, message: expect.stringMatching(text) } });
    expect(await call()).toEqual(refused(/^could not extract token from request header: /));
    expect(await call({ authorization: "Bearer t0ken" })).toEqual(refused(/^could not extract token from request header: /));
    expect(await call(basic("other"))).toEqual(refused(/^invalid auth token: /));
    expect(await call(basic("t0kem"))).toEqual(refused(/^invalid auth token: /));
    expect(await call(basic("t0ken"))).toHaveProperty("ok");
    expect(await call({ authorization: basic("t0ken").authorization.replace("Basic", "basic") })).toHaveProperty("ok");
  });
});

describe("dials", () => {
  it("make the host unavailable, and available again", async () => {
    host.dial({ unavailable: true });
    expect(await client.call("ListMicroVMs", {})).toMatchObject({ error: { code: status.UNAVAILABLE } });
    host.dial({ unavailable: false });
    expect(await client.call("ListMicroVMs", {})).toEqual({ ok: {} });
  });

  it("lose the answer of what was done", async () => {
    host.dial({ lostAnswers: { calls: 1, how: "cut" } });
    expect(await client.call("CreateMicroVM", { microvm: spec("a") })).toMatchObject({ error: { code: status.UNAVAILABLE } });
    expect(await list({ namespace: "ns" })).toEqual(["a"]);
  });

  it("let every call wait", async () => {
    host.dial({ latencyMs: 5_000 });
    let answered = false;
    const before = clock.waiting;
    const call = client.call("ListMicroVMs", {}).then(() => {
      answered = true;
    });
    await until(() => clock.waiting > before, "the call");
    await clock.advance(4_999);
    expect(answered).toBe(false);
    await clock.advance(1);
    await call;
  });
});

describe("a host", () => {
  it("stops while it builds, and lets its driver end the VMs", async () => {
    await create("a");
    await clock.advance(100);
    await host.stop();
    expect(driver.stopped).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  it("stops when the build that it is in has ended", async () => {
    let release = (): void => undefined;
    driver.hold = new Promise((resolve) => {
      release = resolve;
    });
    await create("a");
    await clock.advance(200);
    const stopped = host.stop();
    expect(driver.stopped).toBe(false);
    release();
    await stopped;
    expect(driver.running.size).toBe(0);
  });

  it.each(["0.0.0.0:0", "nowhere", "127.0.0.1", "[::]:0"])("refuses to listen on %s without a token", async (listen) => {
    const starting = startEmbeddedHost({ listen, driver, clock, random: seededRandom() });
    await expect(starting).rejects.toMatchObject({ code: "FR-INVALID", message: expect.stringContaining(`"${listen}" is refused`) });
  });

  it("says when its address is taken", async () => {
    const starting = startEmbeddedHost({ listen: host.address, driver: new MemoryDriver(), clock, random: seededRandom() });
    await expect(starting).rejects.toMatchObject({ code: "FR-INVALID", message: expect.stringContaining(host.address) });
  });
});
