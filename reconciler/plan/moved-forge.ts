import type { Draft } from "./draft.js";

/**
 * Follows connections that are declared at another address than before. It may be the same forge under a new name, or another
 * one, where the same numbers are other jobs and other runners. So what is known by a number of the old address is forgotten:
 * jobs are read again, and runners are found again by their description before anything is done to them.
 */
export function followMovedForges(draft: Draft): void {
  const moved = new Set<string>();
  for (const [key, job] of draft.jobs) {
    if (!isElsewhere(draft, job) || (job.vm !== undefined && draft.microvms.has(job.vm))) continue;
    draft.dropJob(key);
    moved.add(job.connection);
  }
  for (const identity of draft.identities.values()) {
    if (!isElsewhere(draft, identity)) continue;
    const { runnerId: _runnerId, forge: _forge, pausedAt: _pausedAt, runningJobs: _runningJobs, ...rest } = identity;
    draft.putIdentity(rest);
    moved.add(identity.connection);
  }
  for (const presence of draft.presences.values()) {
    if (!isElsewhere(draft, presence)) continue;
    const { runnerId: _runnerId, forge: _forge, sealedToken: _token, ...rest } = presence;
    draft.putPresence({ ...rest, state: "leaving" });
    moved.add(presence.connection);
  }
  for (const name of moved) {
    draft.toPoll.add(name);
    const message = `to ${draft.connections.get(name)?.spec.url}: its jobs are read again, and its runners are found again`;
    draft.event("ForgeMoved", { kind: "connection", name }, message);
  }
}

/** Whether a number was told at another address than its connection's. */
function isElsewhere(draft: Draft, { connection, forge }: { readonly connection: string; readonly forge?: string | undefined }): boolean {
  if (forge === undefined) return false;
  const url = draft.connections.get(connection)?.spec.url;
  return url !== undefined && forge !== url;
}
