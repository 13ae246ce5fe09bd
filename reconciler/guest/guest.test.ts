import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { aMicrovm, createGuestWorld, type GuestWorld, secretOf, serviceKey, token, traceId } from "./guest.fixture.js";
import { createGuest } from "./guest.js";

let world: GuestWorld;

beforeEach(async () => {
  world = await createGuestWorld();
});

afterEach(async () => {
  world.guest.stop();
  await world.store.stop();
});

/** Lets everything that is ready to go on do so. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("the metadata of a microVM", () => {
  it("holds boot data and a mark that is read back, always the same", () => {
    const metadata = world.guest.bootMetadata(aMicrovm(), "agent");
    expect(Object.keys(metadata)).toEqual(["firerunner-boot", "firerunner-mark"]);
    expect(metadata["firerunner-boot"]).toContain("\nurl=https://fr.example:8471\n");
    expect(world.guest.bootMetadata(aMicrovm(), "agent")).toEqual(metadata);
    expect(world.guest.readMark(metadata)).toEqual({ vm: "vm-a", pool: "small", connection: "gl", size: aMicrovm().sizeName });
    expect(world.guest.readMark({})).toBeUndefined();
  });

  it("holds what cloud-init reads, beside the same boot data, where that is to bring the agent", () => {
    const metadata = world.guest.bootMetadata(aMicrovm(), "cloud-init");
    expect(metadata).toEqual({
      ...world.guest.bootMetadata(aMicrovm(), "agent"),
      "meta-data": "instance-id: vm-a\nlocal-hostname: vm-a\n",
      "user-data": "#cloud-config\n{}\n",
      "vendor-data": "#cloud-config\n{}\n",
    });
  });
});

describe("a session", () => {
  it("is known by its secret alone", async () => {
    await world.session();
    expect(world.guest.authenticate("vm-a", secretOf("a"))).toBeDefined();
    expect(world.guest.authenticate("vm-a", secretOf("b"))).toBeUndefined();
    expect(world.guest.authenticate("vm-b", secretOf("a"))).toBeUndefined();
    expect(world.guest.authenticate("", "")).toBeUndefined();
  });

  it("does not exist before the claim", () => {
    expect(world.guest.authenticate("vm-a", secretOf("a"))).toBeUndefined();
    expect(world.guest.lastHeardAt("vm-a")).toBeUndefined();
  });

  it("ends with the microVM's record, in every call", async () => {
    const session = await world.session();
    await world.remove("guestReport");
    await world.remove("microvm");
    expect(world.guest.authenticate("vm-a", secretOf("a"))).toBeUndefined();
    expect(world.guest.lastHeardAt("vm-a")).toBeUndefined();
    expect(await world.guest.next(session, 1000)).toBe("unknown");
    expect(world.guest.config(session)).toEqual({ outcome: "unknown" });
    expect(await world.guest.heartbeat(session, "started")).toBe("unknown");
    expect(await world.guest.log(session, "x")).toEqual({ outcome: "unknown" });
    expect(await world.guest.done(session, { exitCode: 0, reason: "finished" })).toBe("unknown");
    expect(world.store.count("guestReport")).toBe(0);
  });

  it("is heard with every call, and that is not committed", async () => {
    const session = await world.session();
    const before = world.commits();
    await world.clock.advance(10_000);
    world.guest.authenticate("vm-a", secretOf("a"));
    expect(await world.guest.heartbeat(session, "parked")).toBe("continue");
    expect(world.guest.lastHeardAt("vm-a")).toBe(world.clock.now());
    expect(world.commits()).toBe(before);
  });
});

describe("a guest that waits", () => {
  it("is told to run the moment its identity is ready", async () => {
    const session = await world.session();
    const next = world.guest.next(session, 25_000);
    await world.putIdentity({ state: "wanted" });
    await settle();
    await world.putIdentity();
    expect(await next).toBe("run");
    expect(world.clock.waiting).toBe(0);
  });

  it("is told to stop the moment its microVM is to go", async () => {
    const session = await world.session();
    const next = world.guest.next(session, 25_000);
    await world.putMicrovm({ phase: "draining" });
    expect(await next).toBe("stop");
    expect(await world.guest.next(session, 25_000)).toBe("stop");
    expect(await world.guest.heartbeat(session, "parked")).toBe("stop");
  });

  it("is told that its session ended when its records go", async () => {
    const session = await world.session();
    const next = world.guest.next(session, 25_000);
    await world.remove("microvm");
    expect(await next).toBe("unknown");
  });

  it("parks on when the time is over", async () => {
    const session = await world.session();
    const next = world.guest.next(session, 25_000);
    await world.clock.advance(24_999);
    // Something that matters to others, and something of its own that changes nothing.
    await world.putMicrovm(aMicrovm({ name: "vm-b" }));
    await world.putMicrovm({ phase: "parked" });
    await settle();
    await world.clock.advance(1);
    expect(await next).toBe("park");
    expect(await world.guest.next(session, 0)).toBe("park");
  });

  it("has one call that waits: a newer one takes its place", async () => {
    const session = await world.session();
    const older = world.guest.next(session, 25_000);
    const newer = world.guest.next(session, 25_000);
    expect(await older).toBe("park");
    await world.putIdentity();
    expect(await newer).toBe("run");
  });

  it("is let go when it hung up", async () => {
    const session = await world.session();
    const gone = new AbortController();
    const next = world.guest.next(session, 25_000, gone.signal);
    gone.abort();
    expect(await next).toBe("park");
    expect(world.clock.waiting).toBe(0);
  });

  it("is sent away when too many wait, and when the service stops", async () => {
    const small = await createGuestWorld({ maxWaiters: 0 });
    expect(await small.guest.next(await small.session(), 25_000)).toBe("unavailable");
    const session = await world.session();
    const next = world.guest.next(session, 25_000);
    world.guest.stop();
    expect(await next).toBe("unavailable");
    expect(await world.guest.next(session, 25_000)).toBe("unavailable");
  });
});

describe("the configuration", () => {
  it("is given as often as it is asked for, until the runner was started", async () => {
    await world.putIdentity();
    const session = await world.session();
    const first = world.guest.config(session);
    expect(first).toMatchObject({ outcome: "given", toml: expect.stringContaining(`token = "${token}"`) });
    expect(world.guest.config(session)).toEqual(first);
    await world.guest.heartbeat(session, "starting");
    expect(world.guest.config(session)).toEqual(first);
    expect(await world.guest.heartbeat(session, "started")).toBe("continue");
    expect(world.guest.config(session)).toEqual({ outcome: "over" });
  });

  it("names the connection's address and the runner", async () => {
    await world.putIdentity();
    const config = world.guest.config(await world.session());
    expect(config).toMatchObject({
      toml: expect.stringMatching(/name = "vm-a"[\s\S]*url = "https:\/\/gitlab\.example\.com"[\s\S]*id = 42/),
    });
  });

  it("does not exist before the identity is ready: a parked guest holds no credential", async () => {
    const session = await world.session();
    expect(world.guest.config(session)).toEqual({ outcome: "not-yet" });
    await world.putIdentity({ state: "wanted" });
    expect(world.guest.config(session)).toEqual({ outcome: "not-yet" });
    await world.putIdentity({ state: "leaving" });
    expect(world.guest.config(session)).toEqual({ outcome: "not-yet" });
  });

  it("is no longer given once the microVM is to go or has ended", async () => {
    await world.putIdentity();
    const session = await world.session();
    await world.putMicrovm({ phase: "draining" });
    expect(world.guest.config(session)).toEqual({ outcome: "over" });
    await world.putMicrovm({ phase: "assigned" });
    await world.guest.done(session, { exitCode: 1, reason: "failed" });
    expect(world.guest.config(session)).toEqual({ outcome: "over" });
  });

  it("fails loudly when the token was sealed with another key", async () => {
    await world.putIdentity({ sealedToken: "v1.AAAA" });
    const session = await world.session();
    expect(() => world.guest.config(session)).toThrow(FireRunnerError);
  });
});

describe("a heartbeat", () => {
  it.each([
    ["running", "terminate"],
    ["started", "terminate"],
    ["starting", "stop"],
    ["parked", "stop"],
  ] as const)("that says %s is answered %s when the time of the microVM is up", async (state, answer) => {
    await world.putIdentity();
    const session = await world.session();
    await world.putMicrovm({ phase: "draining" });
    expect(await world.guest.heartbeat(session, "running")).toBe("stop");
    await world.putMicrovm({ phase: "draining", endAskedAt: world.clock.now() });
    expect(await world.guest.heartbeat(session, state)).toBe(answer);
  });

  it.each(["started", "running"] as const)("that says %s is written down once", async (state) => {
    await world.putIdentity();
    const session = await world.session();
    await world.guest.heartbeat(session, state);
    const startedAt = world.clock.now();
    expect(world.report()?.startedAt).toBe(startedAt);
    const before = world.commits();
    await world.clock.advance(10_000);
    await world.guest.heartbeat(session, "running");
    expect(world.report()?.startedAt).toBe(startedAt);
    expect(world.commits()).toBe(before);
  });

  it("cannot have started what was never given", async () => {
    const session = await world.session();
    await world.guest.heartbeat(session, "started");
    expect(world.report()?.startedAt).toBeUndefined();
  });
});

describe("an end", () => {
  it("is remembered as it was told first", async () => {
    const session = await world.session();
    expect(await world.guest.done(session, { exitCode: 3, reason: "failed" })).toBe("remembered");
    const at = world.clock.now();
    await world.clock.advance(1000);
    expect(await world.guest.done(session, { exitCode: 0, reason: "finished" })).toBe("remembered");
    expect(world.report()?.done).toEqual({ at, exitCode: 3, reason: "failed" });
    expect(await world.guest.heartbeat(session, "running")).toBe("stop");
    expect(await world.guest.next(session, 1000)).toBe("stop");
  });

  it("is still heard from a microVM that is to go", async () => {
    const session = await world.session();
    await world.putMicrovm({ phase: "draining" });
    expect(await world.guest.done(session, { exitCode: 0, reason: "finished" })).toBe("remembered");
  });
});

describe("a guest's log", () => {
  it("comes without the token that the service holds", async () => {
    await world.putIdentity();
    const session = await world.session();
    const log = await world.guest.log(session, `the runner said ${token} and ended`);
    expect(log).toEqual({ outcome: "taken", text: "the runner said [redacted] and ended", traceId });
  });

  it("is an event of its microVM with the last line first, its end, and nothing that controls a terminal", async () => {
    const session = await world.session();
    const lines = Array.from({ length: 400 }, (_, n) => `line ${n} \u001b[2J`);
    await world.guest.log(session, lines.join("\n"));
    await world.guest.log(session, " \u0007\n");
    const [event, ...others] = world.store.events({ after: 0, limit: 99 }).filter(({ type }) => type === "GuestLastWords");
    expect(others).toEqual([]);
    expect(event).toMatchObject({ subject: { kind: "microvm", name: "vm-a" }, traceId });
    const [summary, ...kept] = event?.message.split("\n") ?? [];
    expect(summary).toBe("its guest said at the end: line 399 [2J");
    expect(kept.join("\n").length).toBeLessThanOrEqual(4096);
    expect(kept).toEqual(lines.slice(-kept.length).map((line) => line.replace("\u001b", "")));
  });

  it("is taken a few times only", async () => {
    const session = await world.session();
    const logs = await Promise.all(Array.from({ length: 6 }, () => world.guest.log(session, "x")));
    expect(logs.map(({ outcome }) => outcome)).toEqual(["taken", "taken", "taken", "taken", "refused", "refused"]);
  });
});

describe("reports and the leader", () => {
  it("a conflict with somebody else's write is settled by asking again", async () => {
    const session = await world.session();
    await world.putIdentity();
    let interfered = false;
    const store = {
      ...wrapped(world),
      commit: async (batch: Parameters<typeof world.store.commit>[0]) => {
        if (!interfered) {
          interfered = true;
          await world.guest.done(session, { exitCode: 0, reason: "finished" });
        }
        return world.store.commit(batch);
      },
    };
    const { sealer, clock } = world;
    const guest = createGuest({ store, sealer, clock, key: serviceKey, owner: "acme", url: () => "http://h:1", cloudConfig: () => "" });
    await guest.heartbeat(session, "started");
    expect(world.report()).toMatchObject({ startedAt: clock.now(), done: { reason: "finished" } });
    guest.stop();
  });

  it("a report that always changes is given up with FR-CONFLICT", async () => {
    const session = await world.session();
    const store = { ...wrapped(world), commit: async () => ({ outcome: "conflict", conflicts: [] }) as const };
    const { sealer, clock } = world;
    const guest = createGuest({ store, sealer, clock, key: serviceKey, owner: "acme", url: () => "http://h:1", cloudConfig: () => "" });
    await expect(guest.done(session, { exitCode: 0, reason: "finished" })).rejects.toMatchObject({ code: "FR-CONFLICT", retryable: true });
    guest.stop();
  });
});

describe("at one of several replicas", () => {
  /** A guest's side that shows records of these kinds only after a commit of its own has settled. */
  function behind(...kinds: readonly string[]) {
    const { store, sealer, clock } = world;
    let isLevel = false;
    const here: typeof store = {
      ...wrapped(world),
      get: (kind, key) => (!isLevel && kinds.includes(kind) ? undefined : store.get(kind, key)),
      async commit(batch) {
        isLevel = true;
        return store.commit(batch);
      },
    };
    return createGuest({ store: here, sealer, clock, key: serviceKey, owner: "acme", url: () => "http://h:1", cloudConfig: () => "" });
  }

  it("a session is known that was begun at another one a moment ago", async () => {
    await world.session();
    const guest = behind("guestReport");
    expect(guest.authenticate("vm-a", secretOf("a"))).toBeUndefined();
    expect(await guest.recognise("vm-a", secretOf("a"))).toMatchObject({ vm: "vm-a" });
    expect([...guest.heard()]).toEqual([["vm-a", world.clock.now()]]);
    expect(await guest.recognise("vm-a", secretOf("b"))).toBeUndefined();
    expect(await guest.recognise("vm-x", secretOf("a"))).toBeUndefined();
    guest.stop();
  });

  it("a microVM may be claimed that was decided on a moment ago", async () => {
    const guest = behind("microvm");
    expect(await guest.claim(world.claimOf())).toMatchObject({ outcome: "accepted" });
    guest.stop();
  });
});

/** The world's store as an object whose methods a test may replace. */
function wrapped({ store }: GuestWorld): GuestWorld["store"] {
  return {
    get: store.get.bind(store),
    list: store.list.bind(store),
    count: store.count.bind(store),
    commit: store.commit.bind(store),
    watch: store.watch.bind(store),
    events: store.events.bind(store),
    acquireLease: store.acquireLease.bind(store),
    releaseLease: store.releaseLease.bind(store),
    leaveNote: store.leaveNote.bind(store),
    notes: store.notes.bind(store),
    ready: store.ready.bind(store),
    settled: store.settled.bind(store),
    stop: store.stop.bind(store),
  };
}
