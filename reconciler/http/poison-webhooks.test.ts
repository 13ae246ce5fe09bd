import { afterEach, beforeEach, expect, it } from "vitest";
import * as payloads from "../forge/gitlab/webhook-payloads.fixture.js";
import { systemClock } from "../model/clock.js";
import type { Store } from "../store/port.js";
import { createMetrics } from "../telemetry/metrics.js";
import type { RunningListener } from "./listener.js";
import { declareConnection, keptLog, newStore, onLoopback } from "./listeners.fixture.js";
import { startPublicListener } from "./public-listener.js";

let store: Store;
let running: RunningListener;
const metrics = createMetrics();

beforeEach(async () => {
  store = newStore();
  await declareConnection(store);
  running = await startPublicListener({
    listener: onLoopback,
    store,
    clock: systemClock,
    logger: keptLog().logger,
    metrics,
    resolveSecret: () => "the-secret",
    pollSoon: () => {},
    parse: (json) => {
      throw new TypeError(`cannot read ${(json as { build_status: string }).build_status} of undefined`);
    },
  });
});
afterEach(async () => {
  await running.stop();
  await store.stop();
});

const send = (change: Readonly<Record<string, unknown>> = {}) =>
  fetch(`${running.url}/webhooks/gitlab/gitlab`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-gitlab-token": "the-secret" },
    body: JSON.stringify({ ...payloads.jobHook15, ...change }),
  });
const letters = () => store.list("deadLetter");

it("a webhook that the reader cannot digest is written down, and its project is read instead", async () => {
  const answer = await send({ build_status: "odd" });
  expect([answer.status, await answer.json()]).toEqual([202, { outcome: "set-aside" }]);
  expect((await send({ build_status: "odd" })).status).toBe(202);
  expect(letters().map(({ value }) => [value.action, value.tried, value.attempts, value.failures.length])).toEqual([
    ["webhook", "never", 2, 2],
  ]);
  expect(letters()[0]?.value.failures[0]).toMatchObject({
    code: "FR-INTERNAL",
    message: "reading a webhook failed: cannot read odd of undefined",
  });
  expect(letters()[0]?.key).toMatch(/^webhook:gitlab\/[0-9a-f]{16}$/);
  expect(store.list("hint").map(({ key }) => key)).toEqual(["gitlab/380/all"]);
  expect(store.events({ after: 0, limit: 9 }).map(({ type }) => type)).toEqual(["DeadLetter"]);
  expect(await metrics.read()).toContain('firerunner_webhooks_total{connection="gitlab",outcome="set-aside"} 2');
});

it("ever different ones leave no more than a bounded number of letters", async () => {
  for (let n = 0; n < 30; n++) expect((await send({ build_status: `odd-${n}` })).status).toBe(202);
  expect(letters()).toHaveLength(21);
  expect(letters().find(({ key }) => key === "webhook:gitlab/others")?.value.attempts).toBe(10);
});
