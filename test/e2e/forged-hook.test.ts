import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { jobHook18 } from "../../reconciler/forge/gitlab/webhook-payloads.fixture.js";
import { type RunningService, startService } from "../../reconciler/main.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { silentLogger } from "../../reconciler/telemetry/logger.js";
import { until } from "./until.fixture.js";

let directory: string;
let forge: Server;
let asked: string[];
let service: RunningService;

/** A service and a forge that knows no job and writes down what it is asked. */
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "firerunner-forged-"));
  asked = [];
  forge = createServer((request, response) => {
    const path = (request.url ?? "").replace(/\?.*$/, "");
    asked.push(`${request.method} ${path}`);
    const isJob = /\/jobs\/\d+$/.test(path);
    const token = { id: 1, name: "firerunner", active: true, revoked: false, scopes: ["api"], expires_at: null };
    const answer = isJob ? { message: "404 Not found" } : path.endsWith("/personal_access_tokens/self") ? token : [];
    response.writeHead(isJob ? 404 : 200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => forge.listen(0, "127.0.0.1", resolve));
  const anyPort = { listen: "127.0.0.1:0" };
  service = await startService({
    service: serviceSchema.parse({
      owner: "e2e",
      stateDir: directory,
      store: { kind: "memory" },
      listeners: { public: anyPort, guest: anyPort, admin: anyPort },
      schedules: { pollS: 86_400, sweepS: 86_400 },
    }),
    env: { TOKEN: "glpat-not-a-real-token", SECRET: "not-a-real-secret" },
    logger: silentLogger,
  });
});

afterEach(async () => {
  await service.stop();
  forge.closeAllConnections();
  await new Promise((resolve) => forge.close(resolve));
  rmSync(directory, { recursive: true });
});

async function declareConnection(): Promise<void> {
  const url = `http://127.0.0.1:${(forge.address() as AddressInfo).port}`;
  const connection = {
    name: "gitlab",
    kind: "gitlab",
    url,
    token: "env:TOKEN",
    scope: { projectId: 380 },
    webhook: { secret: "env:SECRET" },
  };
  const fleet: FleetInput = { connections: [{ ...connection, kind: "gitlab" }] };
  const response = await fetch(`${service.urls.admin}/v1/fleet`, {
    method: "PUT",
    headers: { authorization: `Bearer ${service.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(fleet),
  });
  expect(response.status).toBe(200);
  const isChecked = () => service.store.get("condition", "connection/gitlab/Usable") !== undefined;
  await until("the first poll and the check of the token are over", () => jobReads().length === 1 && isChecked());
}

/** What was asked of jobs; the looks at the token and at runners that go with every start are not the hook's. */
const jobReads = (): readonly string[] => asked.filter((call) => !/personal_access_tokens|\/runners/.test(call));

async function send(jobId: number, secret: string): Promise<number> {
  const response = await fetch(`${service.urls.public}/webhooks/gitlab/gitlab`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-gitlab-token": secret },
    body: JSON.stringify({ ...jobHook18, build_status: "pending", build_id: jobId }),
  });
  return response.status;
}

it("a forged hook costs at most one read of the forge, and without the secret none", async () => {
  await declareConnection();
  asked.length = 0;
  expect(await send(666, "a-guess")).toBe(401);
  expect(await send(777, "not-a-real-secret")).toBe(200);
  await until("the hook was followed", () => service.store.count("hint") === 0 && jobReads().length > 0);
  // Whatever would come of the first hooks has its time while a third one is followed.
  expect(await send(888, "not-a-real-secret")).toBe(200);
  await until("the next hook was followed", () => service.store.count("hint") === 0 && jobReads().some((call) => call.endsWith("/888")));
  expect(jobReads()).toEqual(["GET /api/v4/projects/380/jobs/777", "GET /api/v4/projects/380/jobs/888"]);
  expect(service.store.count("job")).toBe(0);
});
