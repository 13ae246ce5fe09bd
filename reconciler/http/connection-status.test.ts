import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../model/clock.js";
import { createMetrics } from "../telemetry/metrics.js";
import { startAdminListener } from "./admin-listener.js";
import { createDeclarations } from "./declarations.js";
import { aLoop, declareConnection, keptLog, newStore, onLoopback } from "./listeners.fixture.js";

const token = "the-admin-token-of-the-test";
const verdict = (type: string, status: boolean, reason: string, name = "gitlab") => ({
  ...{ subject: { kind: "connection", name }, type, status, reason, message: "as it was found", observedAt: 5, count: 0 },
});

async function anApi(publicUrl?: string) {
  const store = newStore();
  const { logger } = keptLog();
  const declarations = createDeclarations({ store, clock: systemClock });
  const rest = { loop: aLoop(), readiness: () => ({ checks: [] }), replicas: () => [], jobLog: async () => undefined, publicUrl };
  const metrics = createMetrics();
  const running = await startAdminListener({
    listener: onLoopback,
    store,
    declarations,
    clock: systemClock,
    logger,
    metrics,
    token,
    ...rest,
  });
  onTestFinished(async () => {
    await running.stop();
    await store.stop();
  });
  await declareConnection(store);
  return {
    async found(...conditions: readonly ReturnType<typeof verdict>[]) {
      for (const value of conditions) {
        const key = `connection/${value.subject.name}/${value.type}`;
        await store.commit({ writes: [{ kind: "condition", key, value, expect: "any" }] });
      }
    },
    async status(name: string) {
      const response = await fetch(`${running.url}/v1/connections/${name}/status`, { headers: { authorization: `Bearer ${token}` } });
      return { status: response.status, body: await response.json() };
    },
  };
}

it("tells what the latest check found of a connection", async () => {
  const api = await anApi("https://runners.example.com");
  const own = [verdict("Usable", true, "Allowed"), verdict("WebhookRegistered", false, "NotAllowed")];
  await api.found(...own, verdict("Usable", false, "FR-FORGE-UNAUTHORIZED", "another"));
  expect(await api.status("gitlab")).toEqual({
    status: 200,
    body: {
      name: "gitlab",
      webhookUrl: "https://runners.example.com/webhooks/gitlab/gitlab",
      usable: true,
      webhookRegistered: false,
      conditions: own,
    },
  });
});

it("tells as null what is not known", async () => {
  const api = await anApi();
  expect((await api.status("gitlab")).body).toEqual({
    ...{ name: "gitlab", webhookUrl: null, usable: null, webhookRegistered: null, conditions: [] },
  });
  await api.found(verdict("Usable", false, "Unknown"));
  expect((await api.status("gitlab")).body).toMatchObject({ usable: null, conditions: [{ reason: "Unknown" }] });
});

it("knows no connection that is not declared", async () => {
  expect(await (await anApi()).status("elsewhere")).toMatchObject({ status: 404, body: { code: "FR-NOT-FOUND" } });
});
