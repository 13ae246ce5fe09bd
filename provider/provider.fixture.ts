import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startAdminListener } from "../reconciler/http/admin-listener.js";
import { createDeclarations, type Declarations } from "../reconciler/http/declarations.js";
import { aLoop, aMicrovm, newStore, onLoopback } from "../reconciler/http/listeners.fixture.js";
import type { ReadinessCheck } from "../reconciler/http/routes/health.js";
import type { Clock } from "../reconciler/model/clock.js";
import { systemClock } from "../reconciler/model/clock.js";
import type { Store } from "../reconciler/store/port.js";
import { silentLogger } from "../reconciler/telemetry/logger.js";
import { createMetrics } from "../reconciler/telemetry/metrics.js";
import type { Context } from "./handlers/handler.js";

export const adminToken = "the-admin-token-of-the-test";

/** A real admin API over a memory store. */
export interface AdminWorld {
  readonly url: string;
  readonly store: Store;
  readonly declarations: Declarations;
  /** What `/ready` says of hosts and connections; `fail` makes it fail. */
  readonly checks: ReadinessCheck[];
  readonly ready: { fail: boolean };
  /** What a handler is called with; `lines` is what it said. */
  readonly context: Context & { readonly lines: string[] };
  stop(): Promise<void>;
}

export async function startAdminWorld(clock: Clock = systemClock): Promise<AdminWorld> {
  const store = newStore();
  const declarations = createDeclarations({ store, clock });
  const checks: ReadinessCheck[] = [];
  const ready = { fail: false };
  const listener = await startAdminListener({
    listener: onLoopback,
    store,
    declarations,
    clock,
    logger: silentLogger,
    metrics: createMetrics(),
    token: adminToken,
    loop: aLoop(),
    readiness() {
      if (ready.fail) throw new Error("no readiness now");
      return { checks };
    },
    jobLog: async () => undefined,
    replicas: () => [],
  });
  const lines: string[] = [];
  const { signal } = new AbortController();
  return {
    url: listener.url,
    store,
    declarations,
    checks,
    ready,
    context: { api: { url: listener.url, token: adminToken }, clock, signal, say: (line) => lines.push(line), lines },
    async stop() {
      await listener.stop();
      await store.stop();
    },
  };
}

/** Puts a microVM of the pool `small` on the host `rack-1`; the returned function takes it away. */
export async function placeMicrovm(store: Store): Promise<() => Promise<void>> {
  const value = aMicrovm({ phase: "busy" });
  await store.commit({ writes: [{ kind: "microvm", key: "vm-a", value, expect: "absent" }] });
  return async () => {
    await store.commit({ writes: [{ kind: "microvm", key: "vm-a", value: null, expect: "any" }] });
  };
}

export interface SmallRegistry {
  /** `127.0.0.1:PORT`, the registry's part of a reference. */
  readonly name: string;
  readonly requests: { readonly url: string; readonly authorization: string | undefined }[];
  /** Puts a manifest under `repository:version`; returns its digest. */
  put(repository: string, version: string, type: string, manifest: object): string;
  stop(): Promise<void>;
}

/** A registry that speaks as much of the OCI distribution API as pulls need. `challenge` asks for a token or a password. */
export async function startSmallRegistry(challenge: "none" | "token" | "basic" = "none"): Promise<SmallRegistry> {
  const manifests = new Map<string, { readonly type: string; readonly body: string }>();
  const requests: SmallRegistry["requests"] = [];
  let name = "";
  const refused = ({ headers: { authorization } }: IncomingMessage): string | undefined => {
    if (challenge === "token" && authorization !== "Bearer a-pull-token") return `Bearer realm="http://${name}/token",service="small"`;
    if (challenge === "basic" && authorization !== `Basic ${registryLogin}`) return 'Basic realm="small"';
    return undefined;
  };
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "", `http://${name}`);
    requests.push({ url: request.url ?? "", authorization: request.headers.authorization });
    if (url.pathname === "/token") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ token: "a-pull-token" }));
      return;
    }
    const asks = refused(request);
    if (asks !== undefined) {
      response.writeHead(401, { "www-authenticate": asks }).end("{}");
      return;
    }
    const [, key] = /^\/v2\/(.+)$/.exec(url.pathname) ?? [];
    const found = manifests.get(key ?? "");
    if (found === undefined) response.writeHead(404).end("{}");
    else response.writeHead(200, { "content-type": found.type }).end(found.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    name,
    requests,
    put(repository, version, type, manifest) {
      const body = JSON.stringify(manifest);
      manifests.set(`${repository}/manifests/${version}`, { type, body });
      return `sha256:${createHash("sha256").update(body).digest("hex")}`;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `user:password` of a registry that asks for it. */
export const registryLogin = Buffer.from("user:password").toString("base64");
