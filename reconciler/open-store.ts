import { readFileSync } from "node:fs";
import type { Clock, Random } from "./model/clock.js";
import { FireRunnerError } from "./model/errors.js";
import type { RedisSettings } from "./model/redis-settings.js";
import type { Service } from "./model/service.js";
import type { ResolveSecret } from "./secrets/resolve-secret.js";
import { createMemoryStore } from "./store/memory/memory-store.js";
import type { Store } from "./store/port.js";
import type { RedisServer, RedisTls } from "./store/redis/redis-server.js";
import { sealingKeyId } from "./store/sealer.js";
import { openSqliteStore } from "./store/sqlite/sqlite-store.js";

export interface OpenStoreParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolveSecret: ResolveSecret;
  /** The service's key, 64 hex digits. */
  readonly key: string;
  /** Where the embedded store is when nothing else is said. */
  readonly defaultPath: string;
  readonly onFault: (error: FireRunnerError) => void;
}

/** Opens the store that the service file names. Rejects with `FR-CONFIG` (a reference or a certificate) or as that store does. */
export async function openStore({ owner, store }: Pick<Service, "owner" | "store">, parts: OpenStoreParts): Promise<Store> {
  const { clock, random, onFault, key } = parts;
  switch (store.kind) {
    case "memory":
      return createMemoryStore({ clock, random, onFault });
    case "sqlite":
      return openSqliteStore({ path: store.path ?? parts.defaultPath, clock, random, onFault });
    case "redis": {
      const { prefix = `firerunner:${owner}`, minReplicas } = store;
      const server = redisServer(store, parts.resolveSecret);
      // Its client is a third of all files that a service would read at its start.
      const { openRedisStore } = await import("./store/redis/redis-store.js");
      return openRedisStore({ server, prefix, minReplicas, keyId: sealingKeyId(key), clock, random, onFault });
    }
  }
}

function redisServer(settings: RedisSettings, resolveSecret: ResolveSecret): RedisServer {
  const { url, sentinels = [], name = "", username, password, sentinelPassword } = settings;
  const tls = tlsOf(settings);
  const common = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: resolveSecret(password) }),
    ...(tls === undefined ? {} : { tls }),
  };
  if (url !== undefined) {
    const { host, port, database } = url;
    return { kind: "standalone", endpoint: { host, port }, database, ...common };
  }
  const sentinelLogin = sentinelPassword === undefined ? {} : { sentinelPassword: resolveSecret(sentinelPassword) };
  return { kind: "sentinel", sentinels, name, ...sentinelLogin, ...common };
}

function tlsOf({ url, tls }: RedisSettings): RedisTls | undefined {
  if (tls === undefined) return url?.tls === true ? {} : undefined;
  const { caFile, certFile, keyFile } = tls;
  return {
    ...(caFile === undefined ? {} : { ca: readPem("caFile", caFile) }),
    ...(certFile === undefined ? {} : { cert: readPem("certFile", certFile) }),
    ...(keyFile === undefined ? {} : { key: readPem("keyFile", keyFile) }),
  };
}

function readPem(field: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading store.tls.${field} ${file}`);
  }
}
