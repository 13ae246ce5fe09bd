import { readFileSync } from "node:fs";
import { FireRunnerError } from "./model/errors.js";
import type { Service } from "./model/service.js";
import { createSecretResolver } from "./secrets/resolve-secret.js";
import { openStateDir } from "./state-dir.js";
import { keyFile, storeFile } from "./state-files.js";
import { sealingKeyId } from "./store/sealer.js";
import { type Restored, restoreStore } from "./store/sqlite/backup.js";

/**
 * Restores a backup into the embedded store of a stopped service. Refuses as `restoreStore` does, and with `FR-CONFIG` a service
 * whose store is another, or whose key is missing: what was made with a key is of no use without it.
 */
export function restoreInto(service: Service, from: string, env: Readonly<Record<string, string | undefined>>): Restored {
  const { store, owner } = service;
  if (store.kind !== "sqlite") {
    throw new FireRunnerError("FR-CONFIG", `store.kind is "${store.kind}": only a store in a SQLite file is restored from a file`);
  }
  const stateDir = openStateDir(service.stateDir);
  const to = store.path ?? stateDir.path(storeFile);
  return restoreStore({ from, to, owner, keyId: sealingKeyId(keyOf(service, stateDir.path(keyFile), env)), now: Date.now() });
}

function keyOf({ key }: Service, path: string, env: Readonly<Record<string, string | undefined>>): string {
  if (key !== undefined) return createSecretResolver(env)(key);
  try {
    return readFileSync(path, "utf8").trim();
  } catch (caught) {
    throw new FireRunnerError("FR-CONFIG", `the service's key ${path} cannot be read: bring back the one that the backup was made with`, {
      cause: caught,
    });
  }
}
