import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../model/clock.js";
import { fleetSchema } from "../model/fleet.js";
import { aSnapshot } from "../plan/snapshot.fixture.js";
import type { Store } from "../store/port.js";
import { silentLogger } from "../telemetry/logger.js";
import { createMetrics } from "../telemetry/metrics.js";
import { startAdminListener } from "./admin-listener.js";
import { createDeclarations } from "./declarations.js";
import type { RunningListener } from "./listener.js";
import { aLoop, aMicrovm, fleetInput, newStore, oneOfEach, onLoopback } from "./listeners.fixture.js";
import type { LoopView } from "./loop-view.js";

const token = "the-admin-token-of-the-test";

let store: Store;
let running: RunningListener;
let loop: LoopView;
let now: number;

beforeEach(async () => {
  store = newStore();
  loop = aLoop();
  now = 1_000;
  const clock = { ...systemClock, now: () => now };
  const declarations = createDeclarations({ store, clock });
  await declarations.apply(fleetSchema.parse(fleetInput));
  running = await startAdminListener({
    listener: onLoopback,
    store,
    declarations,
    clock,
    logger: silentLogger,
    metrics: createMetrics(),
    token,
    loop: { look: () => loop.look(), sweepSoon: () => loop.sweepSoon(), lastAnswer: (lane) => loop.lastAnswer(lane) },
    readiness: () => ({ checks: [] }),
    replicas: () => [],
    jobLog: async () => undefined,
  });
});

afterEach(async () => {
  await running.stop();
  await store.stop();
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(running.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: what is expected of an answer is said by each test
  const json: any = await response.json();
  return { status: response.status, body: json };
}
const tell = (path: string, body?: unknown, headers?: Record<string, string>) => call("POST", `/v1/${path}`, body, headers);
const told = async (path: string) => (await call("GET", `/v1/${path}`)).body.operations;
const events = () => store.events({ after: 0, limit: 100 }).map(({ type, message }) => `${type} ${message}`);
const holds = (change: Parameters<typeof aMicrovm>[0]) =>
  store.commit({ writes: [{ kind: "microvm", key: "vm-a", value: aMicrovm(change), expect: "any" }] });

describe("what operators do", () => {
  it.each([
    ["hosts/rack-1", "cordon", "uncordon", "cordon"],
    ["hosts/rack-1", "drain", "uncordon", "drain"],
    ["hosts/rack-1", "forget", "uncordon", "forget"],
    ["pools/small", "pause", "resume", "pause"],
  ])("%s: %s, and %s takes it back; the declared record keeps its generation", async (path, verb, opposite, operation) => {
    const answer = await tell(`${path}/${verb}`);
    expect(answer).toMatchObject({ status: 200, body: { operations: [{ operation, by: "admin", at: 1_000 }] } });
    expect((await call("GET", `/v1/${path}`)).body).toMatchObject({ generation: 1, operations: answer.body.operations });
    const list = await call("GET", `/v1/${path.split("/")[0]}`);
    expect(list.body.items[0].operations).toEqual(answer.body.operations);
    expect(await tell(`${path}/${opposite}`)).toEqual({ status: 200, body: { operations: [] } });
    expect((await call("GET", `/v1/${path}`)).body).toMatchObject({ generation: 1, operations: [] });
    expect(store.count("operation")).toBe(0);
  });

  it("said twice is said once, by who said it first, and its event tells who", async () => {
    await tell("hosts/rack-1/cordon", {}, { "x-firerunner-by": "ada" });
    now = 2_000;
    await tell("hosts/rack-1/cordon", {}, { "x-firerunner-by": "grace" });
    expect(await told("hosts/rack-1")).toMatchObject([{ by: "ada", at: 1_000 }]);
    await tell("hosts/rack-1/uncordon");
    await tell("hosts/rack-1/uncordon");
    expect(events()).toEqual(["HostCordoned by ada", "HostUncordoned by admin"]);
  });

  it("a drain takes the deadline that is named last, and keeps it when none is named", async () => {
    await tell("hosts/rack-1/drain", { deadlineS: 600 });
    expect(await told("hosts/rack-1")).toMatchObject([{ deadlineAt: 601_000 }]);
    now = 2_000;
    await tell("hosts/rack-1/drain");
    expect(await told("hosts/rack-1")).toMatchObject([{ deadlineAt: 601_000 }]);
    await tell("hosts/rack-1/drain", { deadlineS: 0 });
    expect(await told("hosts/rack-1")).toMatchObject([{ at: 2_000, deadlineAt: 2_000 }]);
  });

  it("many at the same time leave one record", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => tell("pools/small/pause")));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(store.count("operation")).toBe(1);
    expect(events()).toHaveLength(1);
  });

  it("the drain of a removal is told too, until it lapses, and an uncordon leaves it to its removal", async () => {
    await holds({});
    await call("DELETE", "/v1/hosts/rack-1?whenUsed=drain").catch(() => undefined);
    await tell("hosts/rack-1/uncordon");
    expect(await told("hosts/rack-1")).toMatchObject([{ operation: "drain", by: "its removal" }]);
    now = 62_000;
    expect(await told("hosts/rack-1")).toEqual([]);
  });

  it.each([
    ["hosts/rack-9/cordon", {}, 404, 'no host is called "rack-9"'],
    ["pools/big/resume", {}, 404, 'no pool is called "big"'],
    ["hosts/rack-1/pause", {}, 404, "nothing answers POST"],
    ["hosts/rack-1/drain", { deadlineS: -1 }, 400, "drain: deadlineS: -1 is refused: must be 0 or more"],
    ["hosts/rack-1/drain", { deadline: 10 }, 400, "drain: deadline: is not a known field"],
    ["hosts/rack-1/cordon", { deadlineS: 10 }, 400, "cordon: deadlineS: is not a known field"],
    ["hosts/rack-1/forget", { force: "yes" }, 400, 'forget: force: "yes" is refused'],
  ])("POST %s %j is refused with %i", async (path, body, status, message) => {
    const answer = await tell(path, body);
    expect([answer.status, answer.body.message]).toEqual([status, expect.stringContaining(message)]);
    expect(store.count("operation")).toBe(0);
  });

  it("who does it must be printable", async () => {
    const answer = await tell("hosts/rack-1/cordon", {}, { "x-firerunner-by": "caf\u00e9" });
    expect([answer.status, answer.body.message]).toEqual([400, expect.stringContaining("must be printable ASCII")]);
  });
});

describe("forgetting a host", () => {
  const answers = (ok: boolean) => (ok ? ({ ok } as const) : ({ ok, message: "FR-HOST-UNREACHABLE: no answer" } as const));
  const vm = aMicrovm({ phase: "busy" });

  it.each<[string, Partial<LoopView>, string]>([
    ["that answers", { look: () => aSnapshot(), lastAnswer: () => answers(true) }, "it answers"],
    [
      "whose guests are heard",
      {
        look: () => ({ ...aSnapshot({ microvms: [vm] }), now: 5_000, heardAt: new Map([["vm-a", 4_000]]) }),
        lastAnswer: () => answers(false),
      },
      'the guest of its microVM "vm-a" is still heard',
    ],
    ["of which nothing is known", {}, "whether it answers is not known (this process does not lead)"],
    ["that was not asked yet", { look: () => aSnapshot() }, "whether it answers is not known (not asked yet)"],
  ])("%s and that holds microVMs is refused, unless it is forced", async (_name, view, sign) => {
    loop = aLoop(view);
    await holds({ phase: "busy" });
    const refused = await tell("hosts/rack-1/forget");
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: "FR-REFERENCED", details: { microvms: 1, busy: 1 } });
    expect(refused.body.message).toContain(sign);
    expect(store.count("operation")).toBe(0);
    expect((await tell("hosts/rack-1/forget", { force: true })).status).toBe(200);
    expect(await told("hosts/rack-1")).toMatchObject([{ operation: "forget" }]);
    expect(events()).toEqual(["HostForgotten by admin, forced"]);
  });

  it("that neither answers nor is heard needs no force, nor does one that holds nothing", async () => {
    await tell("hosts/rack-1/forget");
    await tell("hosts/rack-1/uncordon");
    loop = aLoop({ look: () => aSnapshot({ microvms: [vm] }), lastAnswer: () => answers(false) });
    await holds({ phase: "busy" });
    expect((await tell("hosts/rack-1/forget")).status).toBe(200);
  });
});

describe("a host's status", () => {
  it("tells unknown as unknown, and what the records take of it", async () => {
    await holds({});
    await tell("hosts/rack-1/cordon");
    const { body } = await call("GET", "/v1/hosts/rack-1/status");
    expect(body).toMatchObject({
      name: "rack-1",
      reachable: "unknown",
      message: "this process does not lead",
      standing: "cordoned",
      used: { vcpu: 1, memoryMb: 1024, microvms: 1 },
      total: { vcpu: 8, memoryMb: 16_384, microvms: 8 },
      images: [],
      operations: [{ operation: "cordon" }],
      conditions: [],
    });
    expect(body).not.toHaveProperty("lastReadAt");
    expect((await call("GET", "/v1/host-statuses")).body).toEqual({ items: [body] });
    expect((await call("GET", "/v1/hosts/rack-9/status")).status).toBe(404);
  });

  it("tells which images it has run", async () => {
    const images = [{ reference: "registry.example/kernel:6.1", ranAt: 5 }];
    const value = { host: "rack-1", endpoint: "127.0.0.1:9090", images };
    await store.commit({ writes: [{ kind: "hostImages", key: "rack-1", value, expect: "absent" }] });
    expect((await call("GET", "/v1/hosts/rack-1/status")).body.images).toEqual(images);
  });

  it("gives out more vCPUs than the machine has where they are overcommitted", async () => {
    const { host } = oneOfEach;
    await call("PUT", "/v1/hosts/rack-1", { ...host, capacity: { ...host.capacity, vcpuOvercommit: 2.5 } });
    expect((await call("GET", "/v1/hosts/rack-1/status")).body.total).toEqual({ vcpu: 20, memoryMb: 16_384, microvms: 8 });
  });
});

describe("plan and gc", () => {
  it("are not told by a process that does not lead: who asks is told so", async () => {
    for (const [method, path] of [
      ["GET", "/v1/plan"],
      ["GET", "/v1/gc"],
      ["POST", "/v1/gc"],
    ] as const) {
      const answer = await call(method, path);
      expect([answer.status, answer.body.code, answer.body.message]).toEqual([
        503,
        "FR-NOT-LEADER",
        expect.stringContaining("does not lead"),
      ]);
    }
  });
});
