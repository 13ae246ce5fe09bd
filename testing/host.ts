import { systemRandom } from "../reconciler/control/random.js";
import { MemoryDriver } from "../reconciler/embedded/host/memory-driver.js";
import {
  type ProcessDriverOptions as Complete,
  createProcessDriver as create,
  type ProcessDriver,
} from "../reconciler/embedded/host/process-driver.js";
import { seededRandom } from "../reconciler/embedded/host/seeded-random.js";
import {
  type EmbeddedHost,
  type EmbeddedHostOptions,
  startEmbeddedHost as start,
} from "../reconciler/embedded/host/start-embedded-host.js";
import { systemClock } from "../reconciler/model/clock.js";

/** As an embedded host itself takes them; everything has a default. */
export type HostOptions = Partial<EmbeddedHostOptions>;

/**
 * Starts a host that answers as a flintlockd v0.11 does, at a free port of 127.0.0.1 unless `listen` says otherwise. Its
 * microVMs are notes in memory unless `driver` says otherwise; it runs on the machine's clock, and its chances are the same
 * in every run unless `random` says otherwise. Rejects with `FR-INVALID` when it cannot listen there. Stop it at the end.
 */
export function startEmbeddedHost(options: HostOptions = {}): Promise<EmbeddedHost> {
  return start({ listen: "127.0.0.1:0", driver: new MemoryDriver(), clock: systemClock, random: seededRandom(), ...options });
}

export type ProcessDriverOptions = Omit<Complete, "random"> & Partial<Pick<Complete, "random">>;

/**
 * Runs every microVM as a process group of this user, with the real guest agent as its first process, below `directory`.
 * It isolates nothing: a job can do whatever this user can.
 */
export function createProcessDriver(options: ProcessDriverOptions): ProcessDriver {
  return create({ random: systemRandom, ...options });
}
