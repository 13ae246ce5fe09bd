import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createSilentServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { fleetInput, keptLog, oneOfEach } from "./http/listeners.fixture.js";
import { type RunningService, startService } from "./main.js";
import { type ServiceInput, serviceSchema } from "./model/service.js";
import { until } from "./model/until.fixture.js";

let directory: string;
let lines: string[];
const started: RunningService[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-main-"));
  lines = [];
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((running) => running.stop()));
  rmSync(directory, { recursive: true });
});

const anyPort = { listen: "127.0.0.1:0" };
const anyPorts = { public: anyPort, guest: anyPort, admin: anyPort };
const env = { FORGE_TOKEN: "glpat-of-the-test", WEBHOOK_SECRET: "webhook-secret-of-the-test" };

async function start(change: Partial<ServiceInput> = {}, more: Record<string, string> = {}): Promise<RunningService> {
  const log = keptLog();
  lines = log.lines;
  const service = serviceSchema.parse({ owner: "test", stateDir: join(directory, "state"), listeners: anyPorts, ...change });
  const running = await startService({ service, env: { ...env, ...more }, logger: log.logger });
  started.push(running);
  return running;
}

function ask(running: RunningService, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${running.adminToken}`, "content-type": "application/json" };
  return fetch(running.urls.admin + path, { headers, ...init });
}

const mode = (name: string) => (statSync(join(directory, "state", name)).mode & 0o777).toString(8);
const content = (name: string) => readFileSync(join(directory, "state", name), "utf8").trim();

describe("the first start", () => {
  it("makes key and token for its owner alone, and says where they are but never what", async () => {
    const running = await start();
    expect([mode("."), mode("key"), mode("admin-token"), mode("admin-url")]).toEqual(["700", "600", "600", "600"]);
    expect(content("key")).toMatch(/^[0-9a-f]{64}$/);
    expect(content("admin-token")).toBe(running.adminToken);
    expect(content("admin-url")).toBe(running.urls.admin);
    expect(lines.join("")).toContain(join(directory, "state", "admin-token"));
    expect(lines.join("")).not.toContain(running.adminToken);
    expect(lines.join("")).not.toContain(content("key"));
  });

  it("leads and is ready at once", async () => {
    const running = await start();
    await until(async () => {
      const { checks } = (await (await ask(running, "/ready")).json()) as { checks: { name: string; ok: boolean }[] };
      return checks.every(({ ok }) => ok);
    }, "store and leader are well");
  });
});

describe("the next start", () => {
  it("keeps key, token and everything that was declared", async () => {
    const first = await start();
    await ask(first, "/v1/fleet", { method: "PUT", body: JSON.stringify(fleetInput) });
    const key = content("key");
    await first.stop();
    const second = await start();
    expect(second.adminToken).toBe(first.adminToken);
    expect(content("key")).toBe(key);
    expect(second.store.get("pool", "small")?.value.generation).toBe(1);
    await until(async () => (await (await ask(second, "/ready")).text()).includes('"leader","ok":true'), "it leads");
  });

  it("without the key of its store is refused: a new one would open nothing", async () => {
    await (await start()).stop();
    rmSync(join(directory, "state", "key"));
    await expect(start()).rejects.toMatchObject({ code: "FR-CONFIG", message: expect.stringContaining("bring the key back") });
  });

  it("is refused while another process has the store", async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: "FR-STORE" });
  });
});

describe("webhooks that name no job", () => {
  it("have the project, or the whole connection, read at once", async () => {
    const asked: string[] = [];
    const forge = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://forge");
      asked.push(pathname);
      const projects = pathname === "/api/v4/groups/5/projects" ? [{ id: 76 }] : [];
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(projects));
    });
    await new Promise<void>((resolve) => forge.listen(0, "127.0.0.1", resolve));
    const { port } = forge.address() as AddressInfo;
    const reads = (project: number) => asked.filter((path) => path === `/api/v4/projects/${project}/jobs`).length;
    try {
      const running = await start({ schedules: { pollS: 86_400, sweepS: 86_400 } });
      const connection = { ...oneOfEach.connection, url: `http://127.0.0.1:${port}`, scope: { groupId: 5 } };
      await ask(running, "/v1/connections/gitlab", { method: "PUT", body: JSON.stringify(connection) });
      await until(() => reads(76) > 0, "the connection was read");
      const before = reads(76);
      const hook = (body: string) =>
        fetch(`${running.urls.public}/webhooks/gitlab/gitlab`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-gitlab-token": env.WEBHOOK_SECRET },
          body,
        });
      await hook(JSON.stringify({ object_kind: "pipeline", project: { id: 77 }, object_attributes: { id: 9 } }));
      await until(() => reads(77) > 0, "the pipeline's project is read");
      expect(reads(76)).toBe(before);
      expect((await hook(" ".repeat(2 * 1_048_576))).status).toBe(202);
      await until(() => reads(76) > before, "the connection is read again");
    } finally {
      forge.closeAllConnections();
      forge.close();
    }
  });
});

describe("references", () => {
  it("give the token and the key from elsewhere, and then no file is made", async () => {
    const references = { key: "env:KEY", admin: { token: "env:ADMIN" } };
    const running = await start(references, { KEY: "ab".repeat(32), ADMIN: "the-given-token" });
    expect(running.adminToken).toBe("the-given-token");
    expect(() => mode("key")).toThrow();
    expect(() => mode("admin-token")).toThrow();
  });

  it.each([
    ["a variable that is missing", { key: "env:NOPE" }, "the secret env:NOPE cannot be used"],
    ["a key that is none", { key: "env:FORGE_TOKEN" }, "must be 64 hex digits"],
    ["a certificate authority that is missing", { guest: { caFile: "/nonexistent/ca.pem" } }, "guest.caFile /nonexistent/ca.pem"],
  ])("%s is FR-CONFIG", async (_name, change, message) => {
    const refused = await start(change).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "FR-CONFIG", message: expect.stringContaining(message) });
    expect(String(refused)).not.toContain(env.FORGE_TOKEN);
  });
});

describe("the fleet file", () => {
  const fleetFile = () => join(directory, "fleet.yaml");

  it("is applied at the start", async () => {
    writeFileSync(fleetFile(), stringify(fleetInput, { aliasDuplicateObjects: false }));
    const running = await start({ fleetFile: fleetFile() });
    expect(running.store.get("host", "rack-1")?.value.spec.endpoint).toBe("127.0.0.1:9090");
  });

  it("with a mistake keeps the service from starting, names the line, and leaves nothing running", async () => {
    const pools = [{ ...oneOfEach.pool, image: "nope" }];
    writeFileSync(fleetFile(), stringify({ ...fleetInput, pools }, { aliasDuplicateObjects: false }));
    const refused = start({ fleetFile: fleetFile() });
    await expect(refused).rejects.toMatchObject({
      code: "FR-CONFIG",
      message: expect.stringMatching(/fleet\.yaml:\d+: pools\[0\]\.image: "nope" is refused: no such image; declared: base/),
    });
    // The store is free again.
    const running = await start();
    expect(running.store.count("host")).toBe(0);
  });
});

it("answers though a host does not", async () => {
  const connections = new Set<Socket>();
  const host = createSilentServer((socket) => connections.add(socket)).listen(0, "127.0.0.1");
  await until(() => host.listening, "the host listens");
  const hosts = [{ ...oneOfEach.host, endpoint: `127.0.0.1:${(host.address() as AddressInfo).port}`, tls: { insecure: true } }];
  writeFileSync(join(directory, "fleet.yaml"), stringify({ hosts }));
  const running = await start({ store: { kind: "memory" }, fleetFile: join(directory, "fleet.yaml") });
  expect(connections.size).toBeGreaterThan(0);
  expect((await ask(running, "/health")).status).toBe(200);
  for (const socket of connections) socket.destroy();
  host.close();
});

describe("stopping", () => {
  it("frees every address and the store, and can be asked for twice", async () => {
    const running = await start();
    await Promise.all([running.stop(), running.stop()]);
    for (const url of Object.values(running.urls)) {
      const refused = await new Promise((resolve) => {
        connect(Number(new URL(url).port), "127.0.0.1")
          .once("error", resolve)
          .once("connect", resolve);
      });
      expect(refused, url).toBeInstanceOf(Error);
    }
    await expect(running.store.commit({ writes: [] })).rejects.toMatchObject({ code: "FR-STORE" });
    expect(lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  it("an address that is taken stops what was started before it", async () => {
    const first = await start({ store: { kind: "memory" } });
    const taken = { listen: new URL(first.urls.admin).host };
    const second = start({ stateDir: join(directory, "other"), listeners: { ...anyPorts, public: taken } });
    await expect(second).rejects.toMatchObject({ code: "FR-CONFIG", message: expect.stringContaining("public listener") });
    expect(lines.some((line) => line.includes("the store stopped"))).toBe(true);
    // Nothing is decided by a service that cannot be reached.
    expect(lines.filter((line) => line.includes("this process leads"))).toEqual([]);
  });
});

it("a webhook goes to the loop: its job is asked of the forge, whose absence is told by /ready", async () => {
  const running = await start({ store: { kind: "memory" } });
  const connections = [{ ...oneOfEach.connection, url: "http://127.0.0.1:1" }];
  await ask(running, "/v1/fleet", { method: "PUT", body: JSON.stringify({ connections }) });
  const hook = { object_kind: "build", build_id: 5, build_status: "pending", project_id: 380 };
  const answer = await fetch(`${running.urls.public}/webhooks/gitlab/gitlab`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-gitlab-token": env.WEBHOOK_SECRET },
    body: JSON.stringify(hook),
  });
  expect([answer.status, await answer.json()]).toEqual([200, { outcome: "hinted" }]);
  await until(() => lines.some((line) => line.includes("readJob failed")), "the job was asked for");
  const ready = await ask(running, "/ready");
  expect(ready.status).toBe(200);
  expect(await ready.text()).toContain('"name":"connection/gitlab","ok":false');
  expect(await (await ask(running, "/metrics")).text()).toContain('firerunner_webhooks_total{connection="gitlab",outcome="hinted"} 1');
  expect(lines.join("")).not.toMatch(/glpat-of-the-test|webhook-secret-of-the-test/);
});
