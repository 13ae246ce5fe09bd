import { systemRandom } from "../../reconciler/control/random.js";
import type { FireRunnerError } from "../../reconciler/model/errors.js";
import type { Store } from "../../reconciler/store/port.js";
import { openRedisStore, type RedisStoreOptions } from "../../reconciler/store/redis/redis-store.js";
import type { RedisProcess } from "./redis-process.fixture.js";

/** A store on a server of the tests; times and randomness are real when nothing else is said. */
export function openTestStore(redis: Pick<RedisProcess, "port">, options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  return openRedisStore({
    server: { kind: "standalone", endpoint: { host: "127.0.0.1", port: redis.port } },
    prefix: "fr",
    keyId: "k",
    clock: Date,
    random: systemRandom,
    onFault: ignore,
    ...options,
  });
}

/** Tests break the store on purpose. */
const ignore = (_error: FireRunnerError): void => {};
