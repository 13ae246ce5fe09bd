import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { DeadLetter } from "../../reconciler/model/dead-letter.js";
import { type HostsWorld, startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

/** As much of the document as is looked at here. */
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}
interface Described {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>>;
}

/** A call and the status with which it is answered. */
type Call = readonly [id: string, status: number, parameters?: Readonly<Record<string, string>>, query?: string, body?: unknown];

/** The routes of each server that this process has begun, as `METHOD /path`. */
const servers: Set<string>[] = [];
const noteRoutes = (message: unknown) => {
  const routes = new Set<string>();
  servers.push(routes);
  const { fastify } = message as { readonly fastify: FastifyInstance };
  fastify.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) routes.add(`${one} ${url.replace(/:(\w+)/g, "{$1}")}`);
  });
};

let world: HostsWorld;
let document: Document;
let job: Readonly<Record<"connection" | "projectId" | "jobId", string>>;
let vm = "";

const letterOf = (at: number): DeadLetter => ({
  action: "webhook",
  target: { connection: "hosts" },
  tried: "never",
  attempts: 1,
  ...{ firstFailureAt: at, lastFailureAt: at, parkedAt: at },
  failures: [{ at, code: "FR-INTERNAL", message: "it cannot be read" }],
});

/** A service that has run one job, keeps a microVM ready, has a job that waits in vain, and a dead letter. */
beforeAll(async () => {
  subscribe("fastify.initialization", noteRoutes);
  world = await startHostsWorld({ hosts: 2, seed: 31, pool: { minIdle: 1 }, work: async () => undefined });
  unsubscribe("fastify.initialization", noteRoutes);
  document = (await (await fetch(`${world.service.urls.admin}/openapi.json`)).json()) as Document;
  await world.push("told", "runs: {script: [exit 0]}\nwaits: {script: [exit 0], tags: [gpu]}\n");
  const { store } = world.service;
  const parked = () => store.list("microvm").find(({ value }) => value.phase === "parked")?.key;
  const jobs = () => store.list("job").map(({ value }) => value);
  const isOver = () => jobs().some(({ status, vm }) => status === "success" && vm !== undefined);
  await until("one job is over and the other one explained", () => isOver() && jobs().some(({ waitingReason }) => waitingReason));
  vm = (await until("a microVM is ready", parked)) ?? "";
  const waits = jobs().find(({ status }) => status === "pending");
  job = { connection: "hosts", projectId: String(waits?.projectId), jobId: String(waits?.jobId) };
  await store.commit({ writes: [{ kind: "deadLetter", key: "webhook:one", value: letterOf(Date.now()), expect: "any" }] });
});
afterAll(() => world.stop());

const described = (): readonly { readonly path: string; readonly method: string; readonly operation: Described }[] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      method === "servers" ? [] : [{ path, method: method.toUpperCase(), operation }],
    ),
  );

/** A schema with what it refers to put in its place. */
function resolved(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(resolved);
  if (typeof schema !== "object" || schema === null) return schema;
  if ("$ref" in schema) return resolved(document.components.schemas[String(schema.$ref).replace("#/components/schemas/", "")]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value)]));
}

/** Sends a call and holds what is answered against the document; tells it. */
async function make([id, expected, parameters = {}, query = "", body]: Call): Promise<unknown> {
  const found = described().find(({ operation }) => operation.operationId === id);
  if (found === undefined) throw new Error(`the document has no operation "${id}"`);
  const [listener = "admin"] = found.operation.tags;
  const base = { admin: world.service.urls.admin, guest: world.service.urls.guest, public: world.service.urls.public }[listener];
  const path = found.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? "hosts"));
  const response = await fetch(`${base}${path}${query}`, {
    method: found.method,
    headers: {
      ...(listener === "admin" ? { authorization: `Bearer ${world.service.adminToken}` } : {}),
      ...(body === undefined ? {} : { "content-type": typeof body === "string" ? "text/plain" : "application/json" }),
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.status, `${id}: ${text}`).toBe(expected);
  const { content } = found.operation.responses[response.status] ?? found.operation.responses.default ?? {};
  const type = response.headers.get("content-type")?.replace(/;.*$/, "");
  expect(type, id).toBe(Object.keys(content ?? {})[0]);
  if (type !== "application/json") return text;
  const answer: unknown = JSON.parse(text);
  const schema = z.fromJSONSchema(resolved(content?.[type]?.schema) as Parameters<typeof z.fromJSONSchema>[0]);
  const parsed = schema.safeParse(answer);
  if (!parsed.success) expect.fail(`${id} does not answer as it is described: ${z.prettifyError(parsed.error)}\n${text}`);
  return answer;
}

describe("the OpenAPI document", () => {
  it("has every method of every address that a service answers, and no other", () => {
    for (const [tag, route] of [
      ["admin", "GET /health"],
      ["guest", "POST /guest/v1/claim"],
      ["public", "POST /webhooks/gitlab/{connection}"],
    ] as const) {
      const registered = servers.find((routes) => routes.has(route));
      const told = described().flatMap(({ path, method, operation }) => (operation.tags[0] === tag ? [`${method} ${path}`] : []));
      expect(told.toSorted(), tag).toEqual([...(registered ?? [])].toSorted());
    }
    const ids = described().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("says of every one what it really answers", async () => {
    const specOf = async (id: string, name: string) => ((await make([id, 200, { name }])) as { readonly spec: object }).spec;
    const [host, image, connection, pool] = [
      await specOf("getHost", "host-1"),
      await specOf("getImage", "shell"),
      await specOf("getConnection", "hosts"),
      await specOf("getPool", "hosts"),
    ];
    const calls: readonly Call[] = [
      ...["health", "openapi", "ready", "metrics", "checks", "plan", "sweepPlan", "listReplicas"].map((id): Call => [id, 200]),
      ...["listHosts", "listImages", "listConnections", "listPools", "listHostStatuses", "getConnectionStatus"].map(
        (id): Call => [id, 200],
      ),
      ...["listMicrovms", "listIdentities", "listJobs", "listEvents", "listConditions", "listDeadLetters"].map(
        (id): Call => [id, 200, {}, "?limit=1"],
      ),
      ["listEvents", 200, {}, "?limit=1000"],
      ["listConditions", 200, {}, "?limit=1000"],
      ["listJobs", 200, {}, "?status=success"],
      ["listJobs", 400, {}, "?status=over"],
      ["getHostStatus", 200, { name: "host-1" }],
      ["getMicrovm", 200, { name: vm }],
      ["getMicrovm", 404, { name: "vm-none" }],
      ["getJob", 200, job],
      ["explainJob", 200, job],
      ["getJobLog", 200, job],
      ["getDeadLetter", 200, { key: "webhook:one" }],
      ["retryDeadLetter", 400, { key: "webhook:one" }],
      ["dropDeadLetter", 202, { key: "webhook:one" }],
      ["getReplica", 404, { name: "nobody" }],
      ["backup", 400],
      ["sweep", 202],
      ["putHost", 200, { name: "host-1" }, "?managedBy=a-test", host],
      ["putImage", 201, { name: "other" }, "", { ...image, name: "other" }],
      ["deleteImage", 204, { name: "other" }],
      ["deleteImage", 409, { name: "shell" }],
      ["putConnection", 200, {}, "", connection],
      ["putPool", 200, {}, "", { ...pool, priority: 3 }],
      ["putPool", 400, {}, "", { ...pool, maxMicrovms: 0 }],
      ["applyFleet", 200, {}, "", { hosts: [host], images: [image], connections: [connection], pools: [pool] }],
      ["cordonHost", 200, { name: "host-1" }],
      ["drainHost", 200, { name: "host-1" }, "", { deadlineS: 60 }],
      ["getHostStatus", 200, { name: "host-1" }],
      ["uncordonHost", 200, { name: "host-1" }],
      ["forgetHost", 404, { name: "rack-1" }, "", { force: true }],
      ["pausePool", 200],
      ["resumePool", 200],
      ["deletePool", 202, {}, "?whenUsed=drain"],
      ["deleteHost", 404, { name: "rack-1" }],
      ["deleteConnection", 409],
      ["guestClaim", 403, {}, "", `vm=vm-none\nnonce=${"0".repeat(64)}\nboot_id=1\nsecret_sha256=${"0".repeat(64)}\n`],
      ...["guestNext", "guestConfig"].map((id): Call => [id, 401]),
      ...["guestHeartbeat", "guestLog", "guestDone"].map((id): Call => [id, 401, {}, "", "state=running\n"]),
      ["takeGitLabWebhook", 401, {}, "", {}],
    ];
    for (const call of calls) await make(call);
    const called = new Set(["getHost", "getImage", "getConnection", "getPool", ...calls.map(([id]) => id)]);
    expect([...called].toSorted()).toEqual(
      described()
        .map(({ operation }) => operation.operationId)
        .toSorted(),
    );
  });
});
