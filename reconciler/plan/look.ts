import { isFinished } from "../model/job.js";
import type { Draft } from "./draft.js";

/** How many jobs of one forge are read at once. */
const readsPerConnection = 32;
/** How soon a host is listed again while a Create's answer is in doubt. */
const doubtMs = 1_000;

/** Asks hosts for their microVMs when it is time, and at once while a Create's fate is unknown. */
export function askHosts(draft: Draft): void {
  const doubtful = new Set<string>();
  for (const vm of draft.microvms.values()) {
    if (vm.createSentAt !== undefined && vm.uid === undefined && vm.absentAt === undefined && !draft.isInFlight(`host:${vm.name}`))
      doubtful.add(vm.host);
  }
  for (const { spec, observation } of draft.snapshot.hosts) {
    const everyMs = doubtful.has(spec.name) ? doubtMs : draft.snapshot.schedules.listHostsMs;
    if (observation === undefined || draft.reached(observation.at + everyMs)) draft.begin({ kind: "listHost", host: spec.name });
  }
}

/** Follows hints, and polls and sweeps every forge when it is time. */
export function askForges(draft: Draft): void {
  const { pollMs, sweepMs } = draft.snapshot.schedules;
  const reads = new Map<string, number>();
  for (const [key, state] of draft.snapshot.effects) {
    if (state.state !== "in-flight" || !key.startsWith("readJob:")) continue;
    const connection = key.slice("readJob:".length, key.indexOf("/"));
    reads.set(connection, (reads.get(connection) ?? 0) + 1);
  }
  for (const hint of draft.snapshot.hints) {
    const { connection, projectId, jobId } = hint;
    const known = jobId === undefined ? undefined : draft.jobs.get(`${connection}/${projectId}/${jobId}`);
    if (!draft.connections.has(connection) || (known !== undefined && isFinished(known.status))) {
      draft.dropHint(hint);
      continue;
    }
    if (jobId === undefined) {
      draft.begin({ kind: "poll", connection, projectId });
      continue;
    }
    const reading = reads.get(connection) ?? 0;
    if (reading >= readsPerConnection) continue;
    if (draft.begin({ kind: "readJob", connection, projectId, jobId })) reads.set(connection, reading + 1);
  }
  for (const { spec, polledAt, sweptAt } of draft.snapshot.connections) {
    if (polledAt === undefined || draft.reached(polledAt + pollMs)) draft.begin({ kind: "poll", connection: spec.name });
    if (sweptAt === undefined || draft.reached(sweptAt + sweepMs)) draft.begin({ kind: "sweepRunners", connection: spec.name });
  }
}
