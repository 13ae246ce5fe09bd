import { createServer, type Server, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { MemoryDriver } from "../../embedded/host/memory-driver.js";
import { seededRandom } from "../../embedded/host/seeded-random.js";
import { type EmbeddedHost, type EmbeddedHostOptions, startEmbeddedHost } from "../../embedded/host/start-embedded-host.js";
import { systemClock } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Host } from "../../model/host.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { until } from "../../model/until.fixture.js";
import type { FlintlockPort } from "../port.js";
import { createGrpcFlintlock, type GrpcFlintlockOptions } from "./create-grpc-flintlock.js";
import { createRequest, hostAt } from "./create-request.fixture.js";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

const secrets: Record<string, string> = {};

function client(options: Partial<GrpcFlintlockOptions> = {}): FlintlockPort {
  const flintlock = createGrpcFlintlock({
    clock: systemClock,
    random: seededRandom(),
    resolveSecret: (ref) => secrets[ref] ?? "",
    ...options,
  });
  stops.push(() => flintlock.stop());
  return flintlock;
}

async function embedded(options: Partial<EmbeddedHostOptions> = {}): Promise<{ host: EmbeddedHost; clock: ManualClock; at: Host }> {
  const clock = new ManualClock();
  const host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver: new MemoryDriver(), clock, random: seededRandom(), ...options });
  stops.push(() => host.stop());
  return { host, clock, at: hostAt(host.address) };
}

/** A server that takes connections and says nothing. */
async function silent(): Promise<{ server: Server; sockets: Set<Socket>; at: Host }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.resume();
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return { server, sockets, at: hostAt(`127.0.0.1:${address.port}`) };
}

const failureOf = (call: Promise<unknown>): Promise<FireRunnerError> =>
  call.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => (error instanceof FireRunnerError ? error : Promise.reject(error)),
  );

describe("the port's calls", () => {
  it("create, show, list and delete a microVM", async () => {
    const { at, clock } = await embedded();
    const flintlock = client();
    const request = createRequest(at);
    const made = await flintlock.create(request);
    expect(made).toMatchObject({ name: "vm-abcdefghijab", namespace: "fr-test", state: "pending", retry: 0 });
    expect(made).toMatchObject({ address: "10.20.0.5/24", mac: "02:00:00:00:00:05" });
    expect(made.uid).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(made.metadata).toEqual({ ...request.metadata, "meta-data": `instance_id: ${made.uid}\n` });
    await clock.advance(200);
    expect(await flintlock.get(at, made.uid)).toEqual({ ...made, state: "created" });
    expect(await flintlock.list(at, "fr-test")).toEqual([{ ...made, state: "created" }]);
    expect(await flintlock.list(at, "fr-other")).toEqual([]);
    expect(await flintlock.delete(at, made.uid)).toBe("accepted");
    expect(await flintlock.get(at, made.uid)).toMatchObject({ state: "deleting" });
    expect(await flintlock.delete(at, made.uid)).toBe("accepted");
    await clock.advance(100);
    expect(await flintlock.get(at, made.uid)).toBeUndefined();
    expect(await flintlock.delete(at, made.uid)).toBe("absent");
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
  });

  it("show how often a host has tried, and that it gave up", async () => {
    const { at, clock, host } = await embedded();
    const flintlock = client();
    host.dial({ failedBuilds: 99 });
    const { uid } = await flintlock.create(createRequest(at));
    await clock.advance(21_000);
    expect(await flintlock.get(at, uid)).toMatchObject({ state: "pending", retry: 2 });
    await clock.advance(30 * 60_000);
    expect(await flintlock.get(at, uid)).toMatchObject({ state: "failed", retry: 11 });
  });

  it("take lists longer than what gRPC takes by itself", async () => {
    const { at } = await embedded();
    const flintlock = client();
    const metadata = { blob: "x".repeat(49_000) };
    const base = createRequest(at, { metadata });
    const names = Array.from({ length: 70 }, (_, n) => `vm-${n}`);
    await Promise.all(names.map((name) => flintlock.create({ ...base, microvm: { ...base.microvm, name } })));
    const listed = await flintlock.list(at, "fr-test");
    expect(listed.map((vm) => vm.name).toSorted()).toEqual(names.toSorted());
    expect(listed.every((vm) => vm.metadata.blob === metadata.blob)).toBe(true);
  });

  it("send nothing that a host could not boot, and never ask for all namespaces", async () => {
    const { at, host } = await embedded();
    const flintlock = client();
    expect(await failureOf(flintlock.create(createRequest(at, { namespace: "a/b" })))).toMatchObject({
      code: "FR-INVALID",
      retryable: false,
    });
    expect(host.microvms()).toEqual([]);
    expect(await failureOf(flintlock.list(at, ""))).toMatchObject({ code: "FR-INVALID" });
  });

  it("refuse an empty uid as the host does", async () => {
    const { at } = await embedded();
    const flintlock = client();
    expect(await failureOf(flintlock.get(at, ""))).toMatchObject({ code: "FR-FLINTLOCK-REJECTED", retryable: false });
    expect(await failureOf(flintlock.delete(at, ""))).toMatchObject({ code: "FR-FLINTLOCK-REJECTED", retryable: false });
  });
});

describe("trouble", () => {
  it("that passes is sat out by reads", async () => {
    const { at, host } = await embedded();
    const flintlock = client();
    host.dial({ failedLists: 2 });
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
    host.dial({ failedLists: 3 });
    expect(await failureOf(flintlock.list(at, "fr-test"))).toMatchObject({ code: "FR-FLINTLOCK-REJECTED", retryable: true });
    host.dial({ lostAnswers: { calls: 2, how: "cut" } });
    expect(await flintlock.get(at, "01JNKXRA9M9JKXFW6MBPMR2APT")).toBeUndefined();
  });

  it("never makes Create or Delete be sent twice, and leaves them in doubt", async () => {
    const { at, host } = await embedded();
    const flintlock = client();
    host.dial({ lostAnswers: { calls: 1, how: "cut" } });
    expect(await failureOf(flintlock.create(createRequest(at)))).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: true });
    const [made] = await flintlock.list(at, "fr-test");
    expect(host.microvms()).toHaveLength(1);
    host.dial({ lostAnswers: { calls: 1, how: "cut" } });
    expect(await failureOf(flintlock.delete(at, made?.uid ?? ""))).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: true });
    expect(host.microvms()).toMatchObject([{ state: "deleting" }]);
  });

  it("is told with the host, its address and what was tried", async () => {
    const { at, host } = await embedded();
    await host.stop();
    const error = await failureOf(client().get(at, "UID"));
    expect(error).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: true, details: { grpcCode: status.UNAVAILABLE } });
    expect(error.message).toContain(`reading microVM UID of host "host-a" (${at.endpoint}) failed`);
    expect(error.message).toContain("ECONNREFUSED");
  });

  it("ends when the host is there again", async () => {
    const { at, host } = await embedded();
    const flintlock = client();
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
    await host.stop();
    await failureOf(flintlock.list(at, "fr-test"));
    await embedded({ listen: host.address });
    await until(
      () =>
        flintlock.list(at, "fr-test").then(
          (listed) => listed.length === 0,
          () => false,
        ),
      "an answer",
    );
  });
});

describe("the deadline", () => {
  it("ends a call on which nothing comes, and the next call connects anew", async () => {
    const clock = new ManualClock();
    const { at, sockets } = await silent();
    const flintlock = client({ clock });
    const call = failureOf(flintlock.create(createRequest(at)));
    await until(() => sockets.size === 1, "the connection");
    await clock.advance(9_999);
    await clock.advance(1);
    const error = await call;
    expect(error).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: true });
    expect(error.message).toContain("no answer within 10000 ms");
    await until(() => sockets.size === 0, "the end of the connection");
    const next = failureOf(flintlock.get(at, "UID"));
    await until(() => sockets.size === 1, "the next connection");
    await clock.advance(10_000);
    await next;
    expect(clock.waiting).toBe(0);
  });

  it("ends a call that the host holds, repetitions included", async () => {
    const clock = new ManualClock();
    const { at, host } = await embedded();
    const flintlock = client({ clock, deadlineMs: 500 });
    host.dial({ lostAnswers: { calls: 1, how: "hang" } });
    const waiting = failureOf(flintlock.list(at, "fr-test"));
    await until(() => clock.waiting > 0, "the call");
    await clock.advance(500);
    expect(await waiting).toMatchObject({ code: "FR-HOST-UNREACHABLE", details: { grpcCode: status.DEADLINE_EXCEEDED } });
    host.dial({ unavailable: true });
    const repeating = failureOf(flintlock.list(at, "fr-test"));
    await until(() => clock.waiting > 1, "the pause before a repetition");
    await clock.advance(500);
    await repeating;
    expect(clock.waiting).toBe(0);
  });
});

describe("a host that is silent", () => {
  /** Calls in vain until one is not even sent. */
  async function untilWithheld(flintlock: FlintlockPort, at: Host): Promise<FireRunnerError> {
    for (let n = 0; n < 10; n += 1) {
      const error = await failureOf(flintlock.delete(at, "UID"));
      if (error.message.includes("not sent")) return error;
    }
    throw new Error("every call was sent");
  }

  it("costs nobody a wait after some calls: they are told at once since when, and why", async () => {
    const { at, host } = await embedded();
    const clock = new ManualClock();
    const flintlock = client({ clock });
    host.dial({ unavailable: true });
    const error = await untilWithheld(flintlock, at);
    expect(error).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: true, details: { sent: false } });
    expect(error.message).toContain(`deleting microVM UID on host "host-a" (${at.endpoint}) failed: not sent`);
    expect(error.message).toContain(`silent since ${new Date(clock.now()).toISOString()}, 5 calls long`);
    expect(error.message).toContain("the host is not available");
    expect(error.retryAfterMs).toBeGreaterThan(0);
    host.dial({ unavailable: false });
    for (const call of [flintlock.get(at, "UID"), flintlock.list(at, "fr-test")]) {
      expect((await failureOf(call)).message).toContain("not sent");
    }
    expect(await failureOf(flintlock.create(createRequest(at)))).toMatchObject({ retryable: false, details: { sent: false } });
    expect(host.microvms()).toEqual([]);
    const another = hostAt(at.endpoint, { name: "host-b" });
    expect(await flintlock.list(another, "fr-test")).toEqual([]);
  });

  it("is asked again by whichever call comes first after a pause, and all may go on once it answers", async () => {
    const { at, host } = await embedded();
    const clock = new ManualClock();
    const flintlock = client({ clock });
    host.dial({ unavailable: true });
    await untilWithheld(flintlock, at);
    await clock.advance(1_000);
    expect((await failureOf(flintlock.delete(at, "UID"))).message).not.toContain("not sent");
    expect((await failureOf(flintlock.delete(at, "UID"))).message).toContain("not sent");
    await clock.advance(2_000);
    host.dial({ unavailable: false });
    expect(await flintlock.get(at, "UID")).toBeUndefined();
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
  });

  it("is found again at once at another endpoint", async () => {
    const { at, host } = await embedded();
    const other = await embedded();
    const flintlock = client({ clock: new ManualClock() });
    host.dial({ unavailable: true });
    await untilWithheld(flintlock, at);
    expect(await flintlock.list({ ...at, endpoint: other.at.endpoint }, "fr-test")).toEqual([]);
  });

  it("is found again although its port was closed meanwhile", async () => {
    const { at, host } = await embedded();
    const clock = new ManualClock();
    const flintlock = client({ clock });
    await host.stop();
    await untilWithheld(flintlock, at);
    await embedded({ listen: host.address });
    await clock.advance(1_000);
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
  });
});

describe("stop", () => {
  it("ends the calls that run and answers later ones at once", async () => {
    const { at, host } = await embedded();
    const flintlock = client();
    host.dial({ lostAnswers: { calls: 2, how: "hang" } });
    const running = [failureOf(flintlock.create(createRequest(at))), failureOf(flintlock.list(at, "fr-test"))];
    await until(() => host.microvms().length === 1, "the call's arrival");
    await flintlock.stop();
    for (const call of running) expect(await call).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: true });
    expect((await failureOf(flintlock.list(at, "fr-test"))).message).toContain("stopped");
  });

  it("ends a pause before a repetition", async () => {
    const clock = new ManualClock();
    const { at, host } = await embedded();
    const flintlock = client({ clock });
    host.dial({ unavailable: true });
    const call = failureOf(flintlock.list(at, "fr-test"));
    await until(() => clock.waiting === 2, "the pause");
    await flintlock.stop();
    expect((await call).message).toContain("stopping");
    expect(clock.waiting).toBe(0);
  });
});

describe("a channel", () => {
  it("is shared by a host's calls, made anew for another endpoint, and closed with its host", async () => {
    const { at, sockets } = await silent();
    const other = await silent();
    const clock = new ManualClock();
    const flintlock = client({ clock });
    const calls = [failureOf(flintlock.get(at, "A")), failureOf(flintlock.get(at, "B"))];
    await until(() => sockets.size > 0, "the connection");
    expect(sockets.size).toBe(1);
    calls.push(failureOf(flintlock.get({ ...at, endpoint: other.at.endpoint }, "C")));
    await until(() => other.sockets.size === 1, "the other connection");
    // The calls that run go on where they began.
    expect(sockets.size).toBe(1);
    flintlock.keepOnly(new Set(["host-a"]));
    expect(other.sockets.size).toBe(1);
    flintlock.keepOnly(new Set());
    await clock.advance(10_000);
    await Promise.all(calls);
    await until(() => sockets.size + other.sockets.size === 0, "the end of the connections");
  });
});

describe("a token", () => {
  it("is sent as Flintlock wants it, and may be exchanged", async () => {
    const { host } = await embedded({ token: "first token" });
    const at = hostAt(host.address, { token: "env:TOKEN" });
    const flintlock = client();
    secrets["env:TOKEN"] = "first token";
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
    secrets["env:TOKEN"] = "another";
    const wrong = await failureOf(flintlock.create(createRequest(at)));
    expect(wrong).toMatchObject({ code: "FR-HOST-UNAUTHORIZED", retryable: false });
    expect(wrong.message).toContain("check that the host's token");
    const missing = await failureOf(flintlock.list(hostAt(host.address), "fr-test"));
    expect(missing).toMatchObject({ code: "FR-HOST-UNAUTHORIZED", retryable: false });
    expect(missing.message).toContain("wants a token");
    secrets["env:TOKEN"] = "first token";
    expect(await flintlock.list(at, "fr-test")).toEqual([]);
    expect(`${wrong.message}${JSON.stringify(wrong.details)}`).not.toContain("another");
  });

  it("that cannot be had is told before anything is sent", async () => {
    const { host } = await embedded();
    const refuse = () => {
      throw new FireRunnerError("FR-CONFIG", "the environment has no variable TOKEN");
    };
    const flintlock = client({ resolveSecret: refuse });
    const call = failureOf(flintlock.create(createRequest(hostAt(host.address, { token: "env:TOKEN" }))));
    expect(await call).toMatchObject({ code: "FR-CONFIG", retryable: false });
    expect(host.microvms()).toEqual([]);
  });
});
