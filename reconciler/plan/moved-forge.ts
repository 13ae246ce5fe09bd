import type { Draft } from "./draft.js";

/**
 * Follows connections that are declared at another address than before. It may be the same forge under a new name, or another
 * one, where the same numbers are other jobs and other runners. So what is known by a number of the old address is forgotten:
 * jobs are read again, and runners are found again by their description before anything is done to them.
 */
export function followMovedForges(draft: Draft): void {
  const moved = new Set<string>();
  /** Whether a number was told at another address than the connection's. */
  const isElsewhere = (connection: string, forge: string | undefined): boolean => {
    const url = draft.connections.get(connection)?.spec.url;
    const elsewhere = url !== undefined && forge !== undefined && forge !== url;
    if (elsewhere) moved.add(connection);
    return elsewhere;
  };
  for (const [key, job] of draft.jobs) {
    const isOnMicrovm = job.vm !== undefined && draft.microvms.has(job.vm);
    if (!isOnMicrovm && isElsewhere(job.connection, job.forge)) draft.dropJob(key);
  }
  for (const identity of draft.identities.values()) {
    const { runnerId: _runnerId, forge, pausedAt: _pausedAt, runningJobs: _runningJobs, ...rest } = identity;
    if (isElsewhere(identity.connection, forge)) draft.putIdentity(rest);
  }
  for (const presence of draft.presences.values()) {
    const { runnerId: _runnerId, forge, sealedToken: _token, ...rest } = presence;
    if (isElsewhere(presence.connection, forge)) draft.putPresence({ ...rest, state: "leaving" });
  }
  for (const name of moved) {
    draft.toPoll.add(name);
    const message = `to ${draft.connections.get(name)?.spec.url}: its jobs are read again, and its runners are found again`;
    draft.event("ForgeMoved", { kind: "connection", name }, message);
  }
}
