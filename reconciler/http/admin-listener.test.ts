import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../model/clock.js";
import { jobKey } from "../model/job.js";
import type { Store } from "../store/port.js";
import { createMetrics } from "../telemetry/metrics.js";
import { startAdminListener } from "./admin-listener.js";
import { createDeclarations } from "./declarations.js";
import type { RunningListener } from "./listener.js";
import { aJob, aLoop, fleetInput, keptLog, newStore, oneOfEach, onLoopback } from "./listeners.fixture.js";
import type { Readiness } from "./routes/health.js";

const token = "the-admin-token-of-the-test";
const { host, image, pool } = oneOfEach;

let store: Store;
let running: RunningListener;
let lines: string[];
let readiness: Readiness;
let jobLog: () => Promise<string | undefined>;

beforeEach(async () => {
  store = newStore();
  const log = keptLog();
  lines = log.lines;
  readiness = { checks: [{ name: "store", ok: true, required: true }] };
  jobLog = async () => "line 1\nline 2\n";
  running = await startAdminListener({
    listener: onLoopback,
    store,
    declarations: createDeclarations({ store, clock: systemClock }),
    clock: systemClock,
    logger: log.logger,
    metrics: createMetrics(),
    token,
    loop: aLoop(),
    readiness: () => readiness,
    replicas: () => [],
    jobLog: () => jobLog(),
  });
});

afterEach(async () => {
  await running.stop();
  await store.stop();
});

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: what is expected of an answer is said by each test
  readonly body: any;
}

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(running.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: response.status, etag: response.headers.get("etag"), body: json ? JSON.parse(text) : text };
}

const get = (path: string) => call("GET", path);
const messages = ({ body }: Answer): string[] => String(body.message).split("\n");

describe("without its bearer token", () => {
  const paths = [
    "/ready",
    "/metrics",
    "/v1/hosts",
    "/v1/hosts/x",
    "/v1/jobs",
    "/v1/jobs/a/1/2/log",
    "/v1/microvms",
    "/v1/identities",
    "/v1/events",
  ];

  it.each([
    ["no header", {}],
    ["another token", { authorization: "Bearer wrong" }],
    ["another scheme", { authorization: `Basic ${token}` }],
    ["the token and more", { authorization: `Bearer ${token}x` }],
  ])("nothing answers but /health: %s", async (_name, headers) => {
    for (const path of [...paths, "/v1/conditions", "/nothing/here", "/health/", "//health"]) {
      const response = await fetch(running.url + path, { headers });
      expect(response.status, path).toBe(401);
      expect(await response.json(), path).toMatchObject({ code: "FR-UNAUTHORIZED" });
    }
    const put = await fetch(`${running.url}/v1/fleet`, {
      method: "PUT",
      headers: { ...headers, "content-type": "application/json" },
      body: "{}",
    });
    expect(put.status).toBe(401);
    const health = await fetch(`${running.url}/health`, { headers });
    expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
  });

  it("neither the right token nor a wrong one is logged", async () => {
    await fetch(`${running.url}/v1/hosts`, { headers: { authorization: "Bearer glpat-wrong-token-value" } });
    await get("/v1/hosts");
    expect(lines.join("")).not.toContain(token);
    expect(lines.join("")).not.toContain("glpat-wrong-token-value");
  });
});

describe("health and metrics", () => {
  it("/ready tells each thing it depends on, and is 503 when a required one is away", async () => {
    expect(await get("/ready")).toMatchObject({ status: 200, body: { ready: true } });
    readiness = { checks: [{ name: "host/rack-1", ok: false, required: false, message: "FR-HOST-UNREACHABLE: no answer" }] };
    expect(await get("/ready")).toMatchObject({ status: 200, body: { ready: true, checks: [{ name: "host/rack-1", ok: false }] } });
    readiness = { checks: [{ name: "store", ok: false, required: true, message: "FR-STORE: disk full" }] };
    expect(await get("/ready")).toMatchObject({ status: 503, body: { ready: false } });
  });

  it("/metrics speaks Prometheus' text format and has the four promised names", async () => {
    const { status, body } = await get("/metrics");
    expect(status).toBe(200);
    for (const name of ["jobs_total", "vms_active", "vm_creation_duration_seconds", "job_duration_seconds"]) {
      expect(body).toContain(`# TYPE firerunner_${name}`);
    }
  });
});

describe("one record", () => {
  it("is created with 201 and generation 1, and read with its defaults", async () => {
    expect(await call("PUT", "/v1/images/base", image)).toMatchObject({ status: 201, etag: '"1"', body: { generation: 1 } });
    expect(await get("/v1/images/base")).toMatchObject({ status: 200, etag: '"1"', body: { spec: { ...image, arch: "amd64" } } });
    expect(await get("/v1/images")).toMatchObject({ body: { items: [{ spec: { name: "base" } }] } });
  });

  it("moves its generation when its specification changes, and only then", async () => {
    await call("PUT", "/v1/images/base", image);
    expect(await call("PUT", "/v1/images/base", { ...image, arch: "amd64" })).toMatchObject({ status: 200, etag: '"1"' });
    expect(await call("PUT", "/v1/images/base", { ...image, arch: "arm64" })).toMatchObject({ status: 200, etag: '"2"' });
    await call("PUT", "/v1/hosts/rack-1", host);
    const operation = { subject: { kind: "host", name: "rack-1" }, operation: "cordon", by: "me", at: 1 } as const;
    await store.commit({ writes: [{ kind: "operation", key: "host/rack-1", value: operation, expect: "any" }] });
    expect((await get("/v1/hosts/rack-1")).etag).toBe('"1"');
  });

  it("is written and removed only at the generation that If-Match asks for", async () => {
    const changed = { ...image, arch: "arm64" };
    expect((await call("PUT", "/v1/images/base", image, { "if-match": '"1"' })).status).toBe(412);
    expect((await call("PUT", "/v1/images/base", image, { "if-none-match": "*" })).status).toBe(201);
    expect((await call("PUT", "/v1/images/base", changed, { "if-none-match": "*" })).status).toBe(412);
    const stale = await call("PUT", "/v1/images/base", changed, { "if-match": '"7"' });
    expect(stale).toMatchObject({ status: 412, body: { code: "FR-CONFLICT" } });
    expect(messages(stale)).toEqual(['image "base" was expected to have generation 7, but it has generation 1; read it again']);
    expect((await call("PUT", "/v1/images/base", changed, { "if-match": "1" })).etag).toBe('"2"');
    expect((await call("DELETE", "/v1/images/base", undefined, { "if-match": '"1"' })).status).toBe(412);
    expect((await call("DELETE", "/v1/images/base", undefined, { "if-match": '"2"' })).status).toBe(204);
    expect((await get("/v1/images/base")).status).toBe(404);
    expect((await call("PUT", "/v1/images/base", image, { "if-match": "new" })).status).toBe(400);
  });

  it("of two writers with the same If-Match one wins", async () => {
    await call("PUT", "/v1/images/base", image);
    const both = await Promise.all(
      ["a", "b"].map((filename) =>
        call("PUT", "/v1/images/base", { ...image, kernel: { ...image.kernel, filename } }, { "if-match": '"1"' }),
      ),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 412]);
  });

  it("is not removed while another needs it", async () => {
    await call("PUT", "/v1/fleet", fleetInput);
    const refused = await call("DELETE", "/v1/images/base");
    expect(refused).toMatchObject({ status: 409, body: { code: "FR-REFERENCED", details: { usedBy: ['pool "small"'] } } });
    expect((await call("DELETE", "/v1/pools/small")).status).toBe(204);
    expect((await call("DELETE", "/v1/images/base")).status).toBe(204);
    expect((await call("DELETE", "/v1/images/base")).status).toBe(404);
  });

  it.each<[string, string, unknown, string]>([
    ["a wrong field", "/v1/images/base", { ...image, kernal: 1 }, 'image "base": kernal: is not a known field'],
    ["a wrong value", "/v1/images/base", { ...image, arch: "sparc" }, 'image "base": arch: "sparc" is refused'],
    ["a missing value", "/v1/images/base", { kernel: image.kernel }, 'image "base": rootfs: is missing'],
    ["another name than the address", "/v1/images/base", { ...image, name: "other" }, 'must be "base", as in the address'],
    ["a name that is none", "/v1/images/Base", image, '"Base" is refused'],
    ["no object", "/v1/images/base", [image], "must be the specification as a JSON object"],
    ["a reference to nothing", "/v1/pools/small", pool, 'pool "small": image: "base" is refused: no such image'],
    [
      "a secret in place of its reference",
      "/v1/hosts/rack-1",
      { ...host, token: "s3cret" },
      'host "rack-1": token: the value is refused: must be env:NAME or file:PATH',
    ],
  ])("%s is refused with one clear message and nothing is written", async (_name, path, body, message) => {
    const refused = await call("PUT", path, body);
    expect(refused).toMatchObject({ status: 400, body: { code: "FR-INVALID" } });
    expect(messages(refused)[0]).toContain(message);
    expect(lines.join("")).not.toContain("s3cret");
    for (const kind of ["host", "image", "pool"] as const) expect(store.count(kind)).toBe(0);
  });

  it.each([
    ["malformed JSON", "{", {}, 400, "not valid JSON"],
    ["an empty body", "", { "content-type": "application/json" }, 400, "empty"],
    ["another content type", "a: b", { "content-type": "application/yaml" }, 415, "application/json"],
    ["nine MiB", `"${"x".repeat(9 * 1_048_576)}"`, {}, 413, "larger than"],
  ])("%s", async (_name, body, headers, status, message) => {
    const refused = await call("PUT", "/v1/images/base", body, headers);
    expect(refused.status).toBe(status);
    expect(refused.body.message).toContain(message);
  });
});

describe("a fleet", () => {
  it("is declared whole, says what it did, and changes nothing the second time", async () => {
    const first = await call("PUT", "/v1/fleet", fleetInput);
    expect(first.body.results.map(({ kind, outcome }: { kind: string; outcome: string }) => `${kind} ${outcome}`)).toEqual([
      "host created",
      "image created",
      "connection created",
      "pool created",
    ]);
    const second = await call("PUT", "/v1/fleet", fleetInput);
    expect(new Set(second.body.results.map(({ outcome }: { outcome: string }) => outcome))).toEqual(new Set(["unchanged"]));
    const third = await call("PUT", "/v1/fleet", { pools: [{ ...pool, maxMicrovms: 3 }] });
    expect(third.body.results).toEqual([{ kind: "pool", name: "small", outcome: "changed", generation: 2 }]);
    expect(store.count("host")).toBe(1);
  });

  it.each<[string, object, string]>([
    ["a wrong field", { hosts: [{ ...host, endpiont: "x" }] }, "fleet: hosts[0].endpiont: is not a known field"],
    [
      "a negative size",
      { pools: [{ ...pool, sizes: { small: { vcpu: -1, memoryMb: 1024 } } }] },
      "fleet: pools[0].sizes.small.vcpu: -1 is refused: must be above 0",
    ],
    ["an unknown image", { pools: [{ ...pool, image: "nope" }] }, 'pools[0].image: "nope" is refused: no such image'],
    [
      "an overlapping subnet",
      { hosts: [host, { ...host, name: "rack-2", network: { ...host.network, subnet: "10.20.0.0/16" } }] },
      'hosts[1].network.subnet: "10.20.0.0/16" is refused: it overlaps 10.20.0.0/24 of host "rack-1"',
    ],
    ["a doubled name", { images: [image, image] }, 'images[1].name: "base" is refused: another of the images has this name'],
  ])("with %s is refused with one clear message, and nothing of it is applied", async (_name, change, message) => {
    const refused = await call("PUT", "/v1/fleet", { ...fleetInput, ...change });
    expect(refused.status).toBe(400);
    expect(messages(refused)).toHaveLength(1);
    expect(messages(refused)[0]).toContain(message);
    for (const kind of ["host", "image", "connection", "pool"] as const) expect(store.count(kind)).toBe(0);
  });

  it("must fit what is declared already, too", async () => {
    await call("PUT", "/v1/fleet", fleetInput);
    const other = { ...host, name: "rack-2" };
    const refused = await call("PUT", "/v1/fleet", { hosts: [other] });
    expect(messages(refused)).toEqual(['hosts[0].network.subnet: "10.20.0.0/24" is refused: it overlaps 10.20.0.0/24 of host "rack-1"']);
    expect(store.count("host")).toBe(1);
  });
});

describe("jobs, microVMs, runners and events", () => {
  const failed = aJob({ jobId: 2, status: "failed" });

  beforeEach(async () => {
    const write = (job: typeof failed) => ({ kind: "job", key: jobKey(job), value: job, expect: "any" }) as const;
    const at = (n: number, traceId?: string) => ({
      at: n,
      type: "JobSeen",
      subject: { kind: "job", name: "gitlab/380/2" },
      message: `event ${n}`,
      ...(traceId === undefined ? {} : { traceId }),
    });
    await call("PUT", "/v1/fleet", fleetInput);
    await store.commit({
      writes: [write(aJob({ jobId: 1 })), write(failed), write(aJob({ jobId: 3 }))],
      events: [at(1), at(2, "ab".repeat(16)), at(3)],
    });
  });

  it("are filtered and paged through", async () => {
    const first = await get("/v1/jobs?limit=2");
    expect(first.body.items.map(({ key }: { key: string }) => key)).toEqual(["gitlab/380/1", "gitlab/380/2"]);
    const rest = await get(`/v1/jobs?limit=2&after=${first.body.next}`);
    expect(rest.body.items).toHaveLength(1);
    expect(rest.body.next).toBeUndefined();
    expect((await get("/v1/jobs?status=failed")).body.items).toMatchObject([{ jobId: 2 }]);
    expect((await get("/v1/jobs/gitlab/380/2")).body).toMatchObject({ key: "gitlab/380/2", status: "failed" });
  });

  it.each([
    ["/v1/jobs?statu=failed", "statu: is not a known field"],
    ["/v1/jobs?status=lost", '"lost" is refused'],
    ["/v1/jobs?limit=0", "limit"],
    ["/v1/events?after=x", "after"],
    ["/v1/microvms?phase=gone", '"gone" is refused'],
  ])("a query that is not understood is refused: %s", async (path, message) => {
    expect(await get(path)).toMatchObject({ status: 400, body: { message: expect.stringContaining(message) } });
  });

  it("events are paged by their number, by subject and by trace", async () => {
    const all = await get("/v1/events?limit=2");
    expect(all.body.items).toHaveLength(2);
    expect((await get(`/v1/events?after=${all.body.next}`)).body.items.length).toBeGreaterThan(0);
    expect((await get("/v1/events?subject=job/gitlab/380/2")).body.items).toHaveLength(3);
    expect((await get(`/v1/events?traceId=${"ab".repeat(16)}`)).body.items).toMatchObject([{ message: "event 2" }]);
  });

  it("a runner's token is shown in no form", async () => {
    const identity = {
      vm: "vm-abc",
      connection: "gitlab",
      description: "firerunner/test/small/vm-abc",
      tags: [],
      runUntagged: false,
      maxJobTimeoutS: 60,
      state: "ready" as const,
      attempts: 1,
      sealedToken: "v1.sealed",
    };
    await store.commit({ writes: [{ kind: "identity", key: "vm-abc", value: identity, expect: "any" }] });
    const { body } = await get("/v1/identities");
    expect(body.items).toMatchObject([{ vm: "vm-abc", tokenHeld: true }]);
    expect(JSON.stringify(body)).not.toContain("sealed");
  });

  it("a job's log is the forge's, as text", async () => {
    const response = await fetch(`${running.url}/v1/jobs/gitlab/380/2/log`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await response.text()).toBe("line 1\nline 2\n");
  });

  it("a log that is not there, or of a job that is not known, is 404", async () => {
    jobLog = async () => undefined;
    expect(await get("/v1/jobs/gitlab/380/2/log")).toMatchObject({ status: 404, body: { code: "FR-NOT-FOUND" } });
    jobLog = () => Promise.reject(new Error("must not be asked"));
    expect((await get("/v1/jobs/gitlab/380/9/log")).status).toBe(404);
    expect((await get("/v1/jobs/gitlab/380/%2e%2e/log")).status).toBe(404);
  });
});

it("of a fault the caller learns its code and the log its cause", async () => {
  await store.stop();
  const { status, body } = await call("PUT", "/v1/images/base", image);
  expect([status, body.code]).toEqual([503, "FR-STORE"]);
  expect(body.message).toBe("The store could not be read or written.");
  expect(lines.join("")).toContain("the store is stopped");
});
