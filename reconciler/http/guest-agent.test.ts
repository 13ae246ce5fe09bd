import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentMachine, makeAgentMachine, type RunningAgent } from "../../images/agent/agent.fixture.js";
import { aMicrovm, createGuestWorld, type GuestWorld, token } from "../guest/guest.fixture.js";
import { systemClock } from "../model/clock.js";
import type { Listener } from "../model/service.js";
import { silentLogger } from "../telemetry/logger.js";
import { startGuestListener } from "./guest-listener.js";
import type { RunningListener } from "./listener.js";
import { type Fate, startLossyProxy } from "./lossy-proxy.fixture.js";

/** The agent as it runs in every microVM, against the listener as it runs in every service. */

const tlsFile = (name: string) => fileURLToPath(new URL(`../../test/fixtures/tls/${name}`, import.meta.url));
const plain: Listener = { listen: "127.0.0.1:0", insecure: false };

let cleanUps: (() => Promise<unknown> | unknown)[] = [];
let world: GuestWorld;
let machine: AgentMachine;
let running: RunningListener;
/** Where guests reach the listener. */
let reachedAt: string;

beforeEach(() => {
  machine = makeAgentMachine();
  cleanUps.push(() => machine.remove());
});

afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
  cleanUps = [];
});

async function listen(listener: Listener = plain, caPem?: string): Promise<void> {
  world = await createGuestWorld({ clock: systemClock, url: () => reachedAt, ...(caPem === undefined ? {} : { caPem }) });
  running = await startGuestListener({ listener, guest: world.guest, logger: silentLogger, clock: systemClock });
  reachedAt = running.url;
  cleanUps.push(() => world.store.stop());
  cleanUps.push(() => running.stop());
}

/** Loses what `fateOf` says between the guests and the listener. */
async function lose(fateOf: (call: string, nth: number) => Fate) {
  const proxy = await startLossyProxy(running.url, fateOf);
  reachedAt = proxy.url;
  cleanUps.push(() => proxy.stop());
  return proxy;
}

/** Boots the guest of `vm-a`. */
function boot(env: Readonly<Record<string, string>> = {}): RunningAgent {
  const bootData = world.guest.bootMetadata(aMicrovm(), "agent")["firerunner-boot"] ?? "";
  const agent = machine.start({ FIRERUNNER_BOOT_FILE: machine.writeBoot(bootData), ...env });
  cleanUps.push(() => agent.killGroup());
  return agent;
}

/** Resolves when a commit made the condition true. */
function committed(condition: () => boolean, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (!condition()) return;
      clearTimeout(deadline);
      unwatch();
      resolve();
    };
    const deadline = setTimeout(() => {
      unwatch();
      reject(new Error(`not seen in time: ${what}; report: ${JSON.stringify(world.report())}`));
    }, 15_000);
    const unwatch = world.store.watch(check);
    check();
  });
}

const claimed = () => committed(() => world.report() !== undefined, "a claim");

describe("an agent and the guest listener", () => {
  it("park without a credential, are assigned one, run and end", async () => {
    await listen();
    writeFileSync(join(machine.directory, "hold"), "");
    const agent = boot();
    await claimed();
    expect(world.report()).toMatchObject({ vm: "vm-a", bootId: "boot-1" });
    expect(machine.read("state/runner/config.toml")).toBe("");
    await world.putIdentity();
    await committed(() => world.report()?.startedAt !== undefined, "a started runner");
    expect(machine.read("token-seen")).toBe(`${token}\n`);
    expect(machine.read("argv")).toContain("https://gitlab.example.com");
    rmSync(join(machine.directory, "hold"));
    expect(await agent.ended, agent.stderr()).toBe(0);
    expect(world.report()?.done).toMatchObject({ exitCode: 0, reason: "finished" });
    expect(world.report()?.fault).toBeUndefined();
    expect(machine.read("poweroff")).toBe("off\n");
  });

  it("run at once where the identity is there before the guest", async () => {
    await listen();
    await world.putIdentity();
    expect(await boot().ended).toBe(0);
    expect(world.report()).toMatchObject({ startedAt: expect.any(Number), done: { reason: "finished" } });
  });

  it("get over every reply that is lost, and every request", async () => {
    await listen();
    let waits: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      waits = resolve;
    });
    const proxy = await lose((call, nth) => {
      if (call === "next") waits();
      if (call === "heartbeat") return nth % 2 === 1 ? "lost-reply" : "pass";
      return nth === 1 ? "lost-reply" : nth === 2 ? "lost-request" : "pass";
    });
    const agent = boot();
    await waiting;
    await world.putIdentity();
    expect(await agent.ended, agent.stderr()).toBe(0);
    expect(["claim", "next", "config", "done"].map((call) => proxy.count(call))).toEqual([3, 3, 3, 3]);
    expect(world.report()).toMatchObject({ startedAt: expect.any(Number), done: { exitCode: 0, reason: "finished" } });
    expect(world.report()?.fault).toBeUndefined();
    expect(machine.read("token-seen")).toBe(`${token}\n`);
  });

  it("know a guest that booted again: it runs nothing, and the first boot gets nothing more", async () => {
    await listen();
    boot();
    await claimed();
    const again = boot({ FIRERUNNER_BOOT_ID: "boot-2", FIRERUNNER_STATE_DIR: join(machine.directory, "state-2") });
    await again.ended;
    expect(again.stderr()).toContain("the claim was refused with 403");
    expect(world.report()).toMatchObject({ bootId: "boot-1", fault: { code: "FR-GUEST-RESTARTED" } });
    expect(machine.read("argv")).toBe("");
  });

  it("know a second secret within one boot as an incident, and stop the first one", async () => {
    await listen();
    const first = boot();
    await claimed();
    const second = boot({ FIRERUNNER_STATE_DIR: join(machine.directory, "state-2") });
    await second.ended;
    expect(second.stderr()).toContain("the claim was refused with 403");
    expect(world.report()?.fault?.code).toBe("FR-GUEST-INCIDENT");
    await world.putIdentity();
    await first.ended;
    expect(machine.read("argv")).toBe("");
  });

  it("stop while parked, at once", async () => {
    await listen();
    const agent = boot();
    await claimed();
    await world.putMicrovm({ phase: "draining" });
    expect(await agent.ended, agent.stderr()).toBe(0);
    expect(world.report()?.done).toMatchObject({ exitCode: 0, reason: "finished" });
    expect(machine.read("argv")).toBe("");
    expect(machine.read("poweroff")).toBe("off\n");
  });

  it("end a runner whose time is up, so that it tells the forge, and power off at once", async () => {
    await listen();
    await world.putIdentity();
    writeFileSync(join(machine.directory, "hold"), "");
    const agent = boot({ FIRERUNNER_HEARTBEAT_S: "0.1" });
    await committed(() => world.report()?.startedAt !== undefined, "a started runner");
    await world.putMicrovm({ phase: "draining", endAskedAt: 1, jobDeadlineAt: 30_000 });
    await agent.ended;
    expect(agent.stderr()).toContain("told to end the runner");
    expect(world.report()?.done).toMatchObject({ exitCode: 143, reason: "failed" });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  it("refuse a guest that nobody awaits any more", async () => {
    await listen();
    await world.putMicrovm({ phase: "draining" });
    const agent = boot();
    await agent.ended;
    expect(agent.stderr()).toContain("the claim was refused with 403");
    expect(world.report()).toBeUndefined();
    expect(machine.read("poweroff")).toBe("off\n");
  });

  it("tell the service why a runner failed", async () => {
    await listen();
    await world.putIdentity();
    writeFileSync(join(machine.directory, "runner-exit"), "3");
    await boot().ended;
    expect(world.report()?.done).toMatchObject({ exitCode: 3, reason: "failed" });
  });

  it("speak TLS under a private authority that the boot data brings", async () => {
    const caPem = readFileSync(tlsFile("ca.crt"), "utf8");
    await listen({ ...plain, tls: { certFile: tlsFile("server.crt"), keyFile: tlsFile("server.key") } }, caPem);
    expect(reachedAt).toMatch(/^https:/);
    await world.putIdentity();
    const agent = boot();
    expect(await agent.ended, agent.stderr()).toBe(0);
    expect(world.report()?.done?.reason).toBe("finished");
  });
});
