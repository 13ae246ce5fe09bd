import { expect, it } from "vitest";
import type { ForgePort, WebhookState } from "../forge/port.js";
import { FireRunnerError } from "../model/errors.js";
import type { Pool, PoolInput } from "../model/pool.js";
import { aConnection, aPool, now } from "../plan/snapshot.fixture.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import { execute } from "./execute.js";
import { LeaderWrites } from "./leader-writes.js";
import type { ControlPorts } from "./ports.js";
import { SoftState } from "./soft-state.js";

type Webhook = ReturnType<typeof aConnection>["webhook"];
const registering: Webhook = { register: true, secret: "env:SECRET" };
const reachable = "https://runners.example.com";
const refuse = (code: "FR-FORGE-UNAUTHORIZED" | "FR-FORGE-RATE-LIMITED") => async () => {
  throw new FireRunnerError(code, "the forge said no");
};

/** A connection that can be checked again and again, with other answers. */
async function aCheck(publicUrl: string | undefined) {
  const clock = new VirtualClock(now);
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const lease = await store.acquireLease("test", 60_000);
  const soft = new SoftState();
  const schedules = { pollMs: 1, pollHealthyMs: 1, listHostsMs: 1, sweepMs: 1, settleMs: 1 };
  return {
    soft,
    events: () => store.events({ after: 0, limit: 100 }).map(({ type }) => type),
    condition: (type: string) => store.get("condition", `connection/forge/${type}`),
    async declare(spec: Pool) {
      const value = { spec, generation: 1, order: 0, declaredAt: now };
      await store.commit({ writes: [{ kind: "pool", key: spec.name, value, expect: "any" }] });
    },
    async run(answers: Partial<ForgePort>, webhook: Webhook = { register: false }) {
      const value = { spec: { ...aConnection(), webhook }, generation: 1, order: 0, declaredAt: now };
      await store.commit({ writes: [{ kind: "connection", key: "forge", value, expect: "any" }] });
      const forge = { checkAccess: async () => ({ ok: true, missing: [] }), ensureWebhook: async () => ({ state: "kept" }), ...answers };
      const ports = { store, forge, clock } as unknown as ControlPorts;
      const writes = new LeaderWrites(store, lease?.epoch ?? "", () => {});
      const settings = { owner: "owner", holder: "test", schedules, publicUrl };
      await execute({ kind: "checkConnection", connection: "forge" }, { ports, settings, soft, writes });
    },
  };
}

it.each<[string, Partial<ForgePort>, object]>([
  ["may do what is needed", {}, { status: true, reason: "Allowed" }],
  [
    "lacks a scope",
    { checkAccess: async () => ({ ok: false, missing: ["the scope read_api, for reading jobs"] }) },
    { status: false, reason: "FR-FORGE-UNAUTHORIZED", message: "the token env:TOKEN lacks the scope read_api, for reading jobs" },
  ],
  [
    "expires soon",
    { checkAccess: async () => ({ ok: true, missing: [], expiresAt: now + 13 * 86_400_000 }) },
    { status: true, reason: "ExpiresSoon", message: "the token env:TOKEN expires on 2023-11-27: renew it before" },
  ],
  ["is of a kind that is not told of", { checkAccess: async () => ({ ok: "unknown", missing: [] }) }, { status: false, reason: "Unknown" }],
])("tells of a token that %s", async (_what, answers, expected) => {
  const check = await aCheck(reachable);
  await check.run(answers);
  expect(check.condition("Usable")?.value).toMatchObject(expected);
  expect(check.condition("WebhookRegistered")).toBeUndefined();
  expect(check.soft.forgeReads("forge").checked).toMatchObject({ at: now, spec: { name: "forge" } });
});

it("asks for what ends jobs only where a pool of the connection wants jobs of lost microVMs ended", async () => {
  const check = await aCheck(reachable);
  const asked: boolean[] = [];
  const checkAccess: ForgePort["checkAccess"] = async (_connection, endsJobs) => {
    asked.push(endsJobs);
    return { ok: true, missing: [] };
  };
  const pools: Partial<PoolInput>[] = [{ connection: "other", onVmLoss: "cancel" }, { onVmLoss: "report" }, { onVmLoss: "cancel" }];
  for (const pool of pools) {
    await check.declare(aPool(pool));
    await check.run({ checkAccess });
  }
  expect(asked).toEqual([false, false, true]);
});

it("tells of a token that is wrong, and that the call failed", async () => {
  const check = await aCheck(reachable);
  const checked = check.run({ checkAccess: refuse("FR-FORGE-UNAUTHORIZED") }, registering);
  await expect(checked).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
  expect(check.condition("Usable")?.value).toMatchObject({ status: false, reason: "FR-FORGE-UNAUTHORIZED", message: "the forge said no" });
  expect(check.condition("WebhookRegistered")?.value).toMatchObject({ status: true });
  expect(check.soft.forgeReads("forge").checked).toMatchObject({ at: now });
});

it("writes only what differs, and takes back what is no longer asked", async () => {
  const check = await aCheck(reachable);
  await check.run({}, registering);
  const [usable, webhook] = [check.condition("Usable"), check.condition("WebhookRegistered")];
  await check.run({}, registering);
  expect([check.condition("Usable")?.revision, check.condition("WebhookRegistered")?.revision]).toEqual([
    usable?.revision,
    webhook?.revision,
  ]);
  await check.run({});
  expect(check.condition("WebhookRegistered")).toBeUndefined();
});

it("says nothing when the forge wants to be asked later", async () => {
  const check = await aCheck(reachable);
  await expect(check.run({ checkAccess: refuse("FR-FORGE-RATE-LIMITED") })).rejects.toMatchObject({ code: "FR-FORGE-RATE-LIMITED" });
  expect([check.condition("Usable"), check.soft.forgeReads("forge").checked]).toEqual([undefined, undefined]);
});

it.each<[WebhookState, object]>([
  [{ state: "made" }, { status: true, reason: "Registered" }],
  [{ state: "re-enabled" }, { status: true, reason: "Registered" }],
  [
    { state: "muted", message: "look at the network" },
    { status: false, reason: "Muted", message: "look at the network" },
  ],
  [
    { state: "not-allowed", message: "do it by hand" },
    { status: false, reason: "NotAllowed", message: "do it by hand" },
  ],
])("tells how a webhook stands: %o", async (state, expected) => {
  const check = await aCheck(reachable);
  const urls: string[] = [];
  const ensureWebhook: ForgePort["ensureWebhook"] = async (_connection, url) => {
    urls.push(url);
    return state;
  };
  await check.run({ ensureWebhook }, registering);
  expect(urls).toEqual(["https://runners.example.com/webhooks/gitlab/forge"]);
  expect(check.condition("WebhookRegistered")?.value).toMatchObject(expected);
});

it("tells by events what was done to a webhook, and once that it is muted", async () => {
  const check = await aCheck(reachable);
  const muted = { state: "muted", message: "look at the network" } as const;
  for (const state of [{ state: "made" }, { state: "kept" }, muted, muted, { state: "re-enabled" }, { state: "changed" }, muted] as const) {
    await check.run({ ensureWebhook: async () => state }, registering);
  }
  expect(check.events()).toEqual(["WebhookMade", "WebhookMuted", "WebhookReEnabled", "WebhookChanged", "WebhookMuted"]);
});

it.each<[string | undefined, string, Webhook]>([
  [undefined, "listeners.public.url", registering],
  [reachable, "webhook.secret", { register: true }],
])("asks the forge for no webhook that could not work (public URL %o)", async (publicUrl, named, webhook) => {
  const check = await aCheck(publicUrl);
  await check.run({ ensureWebhook: async () => Promise.reject(new Error("it was asked")) }, webhook);
  expect(check.condition("WebhookRegistered")?.value).toMatchObject({
    status: false,
    reason: "FR-CONFIG",
    message: expect.stringContaining(named),
  });
});
