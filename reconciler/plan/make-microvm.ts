import type { Connection } from "../model/connection.js";
import { runnerDescription } from "../model/identity.js";
import { bootsOf } from "../model/image.js";
import type { Job } from "../model/job.js";
import { microvmName } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool, Size } from "../model/pool.js";
import { classTraits } from "../model/runner-class.js";
import type { Place } from "./addresses.js";
import type { Draft } from "./draft.js";

/** How many microVMs one plan makes at most: what goes beyond is decided in the next pass, so that none takes long. */
export const newPerPlan = 256;

/** What a new microVM is made from. */
export interface NewMicrovm {
  readonly pool: Pool;
  readonly sizeName: string;
  readonly size: Size;
  readonly place: Place;
  /** The job that it is made for, when it is made for one. */
  readonly job?: Job;
}

/** Writes down a new microVM; nothing was sent anywhere yet. */
export function allocateMicrovm(draft: Draft, { pool, sizeName, size, place, job }: NewMicrovm): Microvm {
  const n = draft.nextName();
  const image = draft.snapshot.images.find(({ name }) => name === pool.image);
  const vm: Microvm = {
    name: microvmName(draft.snapshot.seed.name, n),
    pool: pool.name,
    connection: pool.connection,
    image: pool.image,
    ...(image === undefined ? {} : { boots: bootsOf(image) }),
    sizeName,
    size,
    ...place,
    phase: "allocated",
    allocatedAt: draft.now,
    identity: false,
    traceId: job?.traceId ?? draft.traceId(n),
  };
  draft.event("MicrovmAllocated", { kind: "microvm", name: vm.name }, `${sizeName} of pool ${vm.pool} on ${vm.host}`, vm.traceId);
  return draft.putMicrovm(vm);
}

/** Commits a microVM to its class: it gets a runner. */
export function commitMicrovm(draft: Draft, vm: Microvm, pool: Pool, connection: Connection): void {
  const traits = classTraits(pool, vm.sizeName, connection);
  draft.putIdentity({
    vm: vm.name,
    connection: vm.connection,
    description: runnerDescription(draft.snapshot.owner, vm.pool, vm.name),
    tags: [...traits.tags],
    runUntagged: traits.runUntagged,
    ...(traits.protectedOnly ? { protectedOnly: true } : {}),
    scope: connection.scope,
    maxJobTimeoutS: pool.maxJobTimeoutS,
    state: "wanted",
    attempts: 0,
  });
  draft.putMicrovm({ ...vm, identity: true, committedAt: draft.now });
}
