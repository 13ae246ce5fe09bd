import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createGuestWorld, type GuestWorld, nonceOf, secretOf, sha256, token } from "../guest/guest.fixture.js";
import { FireRunnerError } from "../model/errors.js";
import { until } from "../model/until.fixture.js";
import { createLogger } from "../telemetry/logger.js";
import { startGuestListener } from "./guest-listener.js";
import type { RunningListener } from "./listener.js";

let world: GuestWorld;
let running: RunningListener;
let lines: string[];

beforeEach(async () => {
  lines = [];
  world = await createGuestWorld();
  running = await startGuestListener({
    listener: { listen: "127.0.0.1:0", insecure: false },
    guest: world.guest,
    logger: createLogger({ level: "debug", env: {}, destination: { write: (line) => lines.push(line) } }),
    clock: world.clock,
  });
});

afterEach(async () => {
  await running.stop();
  await world.store.stop();
});

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly type: string | null;
}

async function call(method: "GET" | "POST", path: string, body?: string, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(`${running.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "text/plain" }), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: await response.text(), type: response.headers.get("content-type") };
}

const as = (secret: string, vm = "vm-a") => ({ authorization: `Bearer ${vm}:${secret}` });

function claimBody(
  change: Partial<Record<"vm" | "nonce" | "boot_id" | "secret_sha256" | "boot_stages" | "monitor_began", string>> = {},
): string {
  const fields = {
    vm: "vm-a",
    nonce: nonceOf(world.guest, change.vm ?? "vm-a"),
    boot_id: "boot-1",
    secret_sha256: sha256(secretOf("a")),
    ...change,
  };
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

const claim = (change?: Parameters<typeof claimBody>[0]) => call("POST", "/guest/v1/claim", claimBody(change));

describe("the guest listener", () => {
  it("takes a guest through its whole life in plain text", async () => {
    expect(await claim()).toEqual({ status: 200, body: "action=park\n", type: "text/plain; charset=utf-8" });
    const next = call("GET", "/guest/v1/next?wait_s=25", undefined, as(secretOf("a")));
    expect((await call("POST", "/guest/v1/heartbeat", "state=parked\n", as(secretOf("a")))).body).toBe("action=continue\n");
    expect((await call("GET", "/guest/v1/config", undefined, as(secretOf("a")))).status).toBe(409);
    await world.putIdentity();
    expect((await next).body).toBe("action=run\n");
    const config = await call("GET", "/guest/v1/config", undefined, as(secretOf("a")));
    expect(config).toMatchObject({ status: 200, body: expect.stringContaining(`token = "${token}"`) });
    expect(await call("GET", "/guest/v1/config", undefined, as(secretOf("a")))).toEqual(config);
    await call("POST", "/guest/v1/heartbeat", "state=started\n", as(secretOf("a")));
    expect((await call("GET", "/guest/v1/config", undefined, as(secretOf("a")))).status).toBe(410);
    expect((await call("POST", "/guest/v1/log", "all went well", as(secretOf("a")))).body).toBe("action=continue\n");
    expect((await call("POST", "/guest/v1/done", "exit_code=0\nreason=finished\n", as(secretOf("a")))).body).toBe("action=off\n");
    expect(world.report()).toMatchObject({ done: { exitCode: 0, reason: "finished" } });
  });

  it("refuses nobody while the store is away, and asks them to come back", async () => {
    const ready = world.store.ready.bind(world.store);
    const error = new FireRunnerError("FR-STORE", "away", { retryable: true });
    Object.assign(world.store, { ready: () => ({ current: false, since: 0, error }) });
    const away = { status: 503, body: "message=the store is out of reach\n", type: "text/plain; charset=utf-8" };
    expect(await claim()).toEqual(away);
    expect(await call("GET", "/guest/v1/next", undefined, as(secretOf("b")))).toEqual(away);
    Object.assign(world.store, { ready });
    expect((await claim()).status).toBe(200);
  });

  it("gives a credential only when the store says that nobody can forget it", async () => {
    await claim();
    await world.putIdentity();
    const error = new FireRunnerError("FR-STORE", "0 replicas have it", { retryable: true });
    Object.assign(world.store, { settled: () => Promise.reject(error) });
    const refused = await call("GET", "/guest/v1/config", undefined, as(secretOf("a")));
    expect([refused.status, refused.body.includes(token)]).toEqual([503, false]);
    Object.assign(world.store, { settled: async () => {} });
    expect((await call("GET", "/guest/v1/config", undefined, as(secretOf("a")))).body).toContain(token);
  });

  it("answers nothing but its calls", async () => {
    await claim();
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/guest/v1/claim"],
      ["POST", "/guest/v1/next"],
      ["GET", "/health"],
      ["GET", "/metrics"],
      ["GET", "/v1/microvms"],
      ["GET", "/guest/v1/"],
    ] as const) {
      expect((await call(method, path, undefined, as(secretOf("a")))).status, `${method} ${path}`).toBe(404);
    }
  });

  it.each([
    ["GET", "/guest/v1/next?wait_s=1", undefined],
    ["GET", "/guest/v1/config", undefined],
    ["POST", "/guest/v1/heartbeat", "state=parked\n"],
    ["POST", "/guest/v1/log", "x"],
    ["POST", "/guest/v1/done", "exit_code=0\nreason=finished\n"],
  ] as const)("answers %s %s with 401 to everybody but the guest that claimed", async (method, path, body) => {
    await world.putIdentity();
    await claim();
    const others = [
      {},
      as(secretOf("b")),
      as(secretOf("a"), "vm-b"),
      { authorization: "Basic dm0tYQ==" },
      { authorization: "Bearer vm-a:" },
    ];
    for (const headers of others) {
      const reply = await call(method, path, body, headers as Record<string, string>);
      expect(reply).toMatchObject({ status: 401, body: "message=the session is not known\n" });
    }
    expect(world.report()?.done).toBeUndefined();
  });

  it("refuses what it does not understand with the field and the accepted form", async () => {
    const reply = await claim({ nonce: "secret-looking" });
    expect(reply).toMatchObject({ status: 400, body: "message=nonce is refused: must be 64 hex digits\n" });
    expect((await claim({ vm: "../etc" })).body).toContain("vm is refused");
    expect((await call("POST", "/guest/v1/claim", "garbage")).status).toBe(400);
    expect((await call("POST", "/guest/v1/claim", "{}", { "content-type": "application/json" })).body).toBe(
      "message=the body must be text/plain\n",
    );
    await claim();
    const session = as(secretOf("a"));
    expect((await call("POST", "/guest/v1/heartbeat", "state=asleep\n", session)).body).toContain("parked, starting, started, running");
    expect((await call("POST", "/guest/v1/done", "exit_code=x\nreason=finished\n", session)).body).toContain("exit_code is refused");
    expect((await call("GET", "/guest/v1/next?wait_s=soon", undefined, session)).body).toContain("wait_s is refused");
    expect((await call("GET", "/guest/v1/next", undefined, session)).body).toBe("action=park\n");
  });

  it("takes bodies of a bounded length: a log of 64 KiB and not a byte more", async () => {
    await claim();
    const session = as(secretOf("a"));
    expect((await call("POST", "/guest/v1/log", "x".repeat(65_536), session)).status).toBe(200);
    expect((await call("POST", "/guest/v1/log", "x".repeat(65_537), session)).status).toBe(413);
    expect((await call("POST", "/guest/v1/claim", "x".repeat(5000))).status).toBe(413);
    const taken = await Promise.all(Array.from({ length: 5 }, () => call("POST", "/guest/v1/log", "x", session)));
    expect(taken.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429]);
  });
});

describe("the stages of a boot", () => {
  it("are kept with the claim in milliseconds, and are no part of it where a guest tells none", async () => {
    await claim({ boot_stages: "init:1.12,network:1.33,claim:2", monitor_began: "1700000000123" });
    const told = { bootMs: { init: 1120, network: 1330, claim: 2000 }, monitorBeganAt: 1_700_000_000_123 };
    expect(world.store.get("guestReport", "vm-a")?.value).toMatchObject(told);
  });

  it("are refused in any other form, with the claim", async () => {
    for (const boot_stages of ["init", "init:-1", "Init:1", "init:1,", `a:1${",a:1".repeat(8)}`, "init:1e9"]) {
      expect((await claim({ boot_stages })).body).toContain("boot_stages is refused");
    }
    expect((await claim({ monitor_began: "-1" })).body).toContain("monitor_began is refused");
    expect(world.store.get("guestReport", "vm-a")).toBeUndefined();
  });
});

describe("a refused claim", () => {
  it("looks the same whatever was wrong", async () => {
    await world.putMicrovm({ phase: "draining" });
    const leaving = await claim();
    const nonce = await claim({ nonce: "ab".repeat(32) });
    const unknown = await claim({ vm: "vm-z" });
    expect(leaving).toEqual({ status: 403, body: "message=the claim was refused\n", type: "text/plain; charset=utf-8" });
    expect([nonce, unknown]).toEqual([leaving, leaving]);
  });

  it("is told in the log with its reason and trace, and no secret", async () => {
    await claim();
    await claim({ secret_sha256: sha256(secretOf("b")) });
    const refusal = lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ level }) => level === "warn");
    expect(refusal).toMatchObject({ vm: "vm-a", reason: "FR-GUEST-INCIDENT", address: "127.0.0.1", traceId: "0f".repeat(16) });
  });

  it("is counted by address, and never keeps a right claim out", async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++) statuses.push((await claim({ nonce: "ab".repeat(32) })).status);
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(403));
    expect(statuses.slice(20)).toEqual(Array(5).fill(429));
    expect(lines.filter((line) => line.includes("refused"))).toHaveLength(20);
    expect((await claim()).status).toBe(200);
    await world.clock.advance(1000);
    expect((await claim({ nonce: "ab".repeat(32) })).status).toBe(403);
  });
});

describe("the guest listener's log", () => {
  it("holds the guest's log with its microVM and trace, and no secret of anybody", async () => {
    await world.putIdentity();
    await claim();
    const session = as(secretOf("a"));
    await call("GET", "/guest/v1/config", undefined, session);
    await call("POST", "/guest/v1/log", `line one\ntoken ${token} glrt-another-token\n`, session);
    await call("POST", "/guest/v1/done", "exit_code=1\nreason=failed\n", session);
    const sent = lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ message }) => message === "a guest sent its log");
    expect(sent).toMatchObject({ vm: "vm-a", traceId: "0f".repeat(16), console: "line one\ntoken [redacted] [redacted]\n" });
    const whole = lines.join("");
    for (const secret of [token, secretOf("a"), sha256(secretOf("a")), nonceOf(world.guest, "vm-a")]) expect(whole).not.toContain(secret);
  });
});

describe("a guest that waits", () => {
  it("is answered at once when the listener stops", async () => {
    await claim();
    const next = call("GET", "/guest/v1/next?wait_s=25", undefined, as(secretOf("a")));
    await until(() => world.clock.waiting > 0, "a call that waits");
    await running.stop();
    expect(await next).toMatchObject({ status: 503 });
  });

  it("leaves nothing behind when it hangs up", async () => {
    await claim();
    const idle = world.clock.waiting;
    const waiting = request(`${running.url}/guest/v1/next?wait_s=25`, { headers: as(secretOf("a")), agent: false });
    waiting.on("error", () => undefined);
    waiting.end();
    await until(() => world.clock.waiting > idle, "a call that waits");
    waiting.destroy();
    await until(() => world.clock.waiting === idle, "no call that waits");
  });
});
