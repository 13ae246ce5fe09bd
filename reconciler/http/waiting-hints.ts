import type { Store } from "../store/port.js";

/** How many hints wait for each connection, kept current by watching the store. */
export interface WaitingHints {
  count(connection: string): number;
  stop(): void;
}

export function watchWaitingHints(store: Pick<Store, "get" | "list" | "watch">): WaitingHints {
  const keys = new Map<string, Set<string>>();
  const add = (key: string): void => {
    const connection = connectionOf(key);
    const own = keys.get(connection);
    if (own === undefined) keys.set(connection, new Set([key]));
    else own.add(key);
  };
  const remove = (key: string): void => {
    const own = keys.get(connectionOf(key));
    own?.delete(key);
    if (own?.size === 0) keys.delete(connectionOf(key));
  };
  const stop = store.watch(({ changed }) => {
    for (const { kind, key } of changed) {
      if (kind !== "hint") continue;
      if (store.get("hint", key) === undefined) remove(key);
      else add(key);
    }
  });
  for (const { key } of store.list("hint")) add(key);
  return { count: (connection) => keys.get(connection)?.size ?? 0, stop };
}

/** A hint's key begins with its connection's name, which holds no '/'. */
const connectionOf = (key: string): string => key.slice(0, key.indexOf("/"));
