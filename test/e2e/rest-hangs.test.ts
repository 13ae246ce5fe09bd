import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemRandom } from "../../reconciler/control/random.js";
import { jobHook18 } from "../../reconciler/forge/gitlab/webhook-payloads.fixture.js";
import { startService } from "../../reconciler/main.js";
import { type Clock, systemClock } from "../../reconciler/model/clock.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { callGraceMs } from "../../reconciler/stop-loop.js";
import { openSqliteStore } from "../../reconciler/store/sqlite/sqlite-store.js";
import { silentLogger } from "../../reconciler/telemetry/logger.js";
import { until } from "./until.fixture.js";

const secret = "not-a-real-secret";
/** All deadlines of calls of GitLab are later than that, and nothing here waits as long for anything else. */
const neverMs = 5_000;
/**
 * The machine's own, but that calls get no grace when the service stops: nothing is gained by waiting for it here. Their own
 * deadlines never come: were they waited for, stopping would not end.
 */
const clock: Clock = {
  ...systemClock,
  after: (ms, callback) => (ms >= neverMs ? () => undefined : systemClock.after(ms === callGraceMs ? 0 : ms, callback)),
};

it("answers webhooks while GitLab's REST API says nothing at all, has them on disk, and stops all the same", async () => {
  const directory = mkdtempSync(join(tmpdir(), "firerunner-hangs-"));
  let asked = 0;
  const gitlab = createServer(() => {
    asked += 1;
  });
  await new Promise<void>((resolve) => gitlab.listen(0, "127.0.0.1", resolve));
  const anyPort = { listen: "127.0.0.1:0" };
  const service = await startService({
    service: serviceSchema.parse({
      owner: "e2e",
      stateDir: directory,
      listeners: { public: anyPort, guest: anyPort, admin: anyPort },
    }),
    env: { TOKEN: "glpat-not-a-real-token", SECRET: secret },
    logger: silentLogger,
    clock,
  });
  try {
    const connection = {
      ...{ name: "gitlab", kind: "gitlab", token: "env:TOKEN", scope: { instance: true }, webhook: { secret: "env:SECRET" } },
      url: `http://127.0.0.1:${(gitlab.address() as AddressInfo).port}`,
    };
    const declared = await fetch(`${service.urls.admin}/v1/connections/gitlab`, {
      method: "PUT",
      headers: { "content-type": "application/json", authorization: `Bearer ${service.adminToken}` },
      body: JSON.stringify(connection),
    });
    expect(declared.status).toBe(201);
    const send = async (jobId: number) => {
      const response = await fetch(`${service.urls.public}/webhooks/gitlab/gitlab`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-gitlab-event": "Job Hook", "x-gitlab-token": secret },
        body: JSON.stringify({ ...jobHook18, build_id: jobId, build_status: "pending", project_id: 1 + (jobId % 7) }),
      });
      return [response.status, await response.json()];
    };
    expect(await send(1)).toEqual([200, { outcome: "hinted" }]);
    await until("GitLab is asked and does not answer", () => asked > 0);
    const ids = Array.from({ length: 100 }, (_, n) => n + 2);
    expect(await Promise.all(ids.map(send))).toEqual(Array(100).fill([200, { outcome: "hinted" }]));
    expect(service.store.count("job")).toBe(0);
  } finally {
    await service.stop();
    const closed = new Promise((resolve) => gitlab.close(resolve));
    gitlab.closeAllConnections();
    await closed;
  }
  const store = openSqliteStore({ path: join(directory, "store.db"), clock: systemClock, random: systemRandom, onFault: () => {} });
  try {
    expect(store.count("hint")).toBe(101);
  } finally {
    await store.stop();
    rmSync(directory, { recursive: true });
  }
});
